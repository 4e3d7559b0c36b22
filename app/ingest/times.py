"""Times as people write them, to microseconds since 1970 in UTC.

A time may carry an offset or not, also in the same column; one without is local to the shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import model.lazy_compute as pc
import model.lazy_pandas as pd
from app.ingest.cells import numbers_of, text_of
from app.ingest.text_buffers import TextBuffer

Ambiguous = Literal["reject", "earlier", "later"]

FIRST_US = 0  # 1970
LAST_US = int(np.datetime64("2201-01-01", "us").astype(np.int64))
_US_OF_EPOCH = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
_OFFSET = r"([Zz]|[+-]\d{2}(:?\d{2})?)$"
_DAY, _SHORTEST_TIME, _SHORTEST_WITH_OFFSET = 10, 16, 20
"""Characters of 2024-05-31, of that with 18:30, and of that with seconds and Z."""
_QUARTER_US = 15 * 60 * 1_000_000
_ISO8601 = (
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?([Zz]|[+-]\d{2}(:?\d{2})?))?)?$"
)


@dataclass(frozen=True)
class Times:
    """Parsed times; where a fault is true the value means nothing."""

    us: NDArray[np.int64]
    missing: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]
    absurd: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    nonexistent: NDArray[np.bool_]

    def take(self, codes: NDArray[np.int64]) -> Times:
        """The times at these positions."""
        return Times(*(getattr(self, name)[codes] for name in self.__dataclass_fields__))


def check_time_format(time_format: str) -> None:
    """Refuse a format that cannot name a day.

    Raises:
        ValueError: The message says why.
    """
    if time_format == "iso8601" or time_format in _US_OF_EPOCH:
        return
    if "%Z" in time_format:
        raise ValueError("%Z (zone names) is ambiguous: use %z (an offset)")
    moment = datetime(2023, 11, 28, 21, 43, 59)  # noqa: DTZ001
    try:
        again = datetime.strptime(moment.strftime(time_format), time_format)  # noqa: DTZ007
        pd.to_datetime([moment.strftime(time_format)], format=time_format, utc=True)
    except ValueError as error:
        raise ValueError(f"{time_format!r} is not a usable strptime format: {error}") from error
    if again.date() != moment.date():
        raise ValueError(
            f"{time_format!r} does not name a day: use iso8601, epoch_s, epoch_ms or a strptime "
            "format with year, month and day"
        )


def times_of(
    column: pa.Array, time_format: str, zone: ZoneInfo, ambiguous: Ambiguous = "reject"
) -> Times:
    """Parse a column, each distinct text once.

    A column that already holds dates or timestamps (Parquet) is taken as it is.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_temporal(column.type) and not pa.types.is_time(column.type):
        return _from_native(column, zone, ambiguous)
    if time_format in _US_OF_EPOCH:
        return _from_epoch(column, _US_OF_EPOCH[time_format])
    given = text_of(column)
    if time_format == "iso8601":
        native = _as_native(given)
        if native is not None:
            return _from_native(native, zone, ambiguous)
    encoded = given.dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    texts = pa.concat_arrays([encoded.dictionary.cast(pa.string()), pa.nulls(1, pa.string())])
    parse = _from_iso8601 if time_format == "iso8601" else _from_strptime
    return parse(texts, time_format, zone, ambiguous).take(codes.astype(np.int64))


def look_like_times(column: pa.Array) -> bool:
    """Whether every value that is there names a day, in ISO 8601 or as a native time."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    texts = text_of(column).drop_null()
    return len(texts) > 0 and bool(pc.all(pc.match_substring_regex(texts, _ISO8601)).as_py())


def _as_native(texts: pa.StringArray) -> pa.Array | None:
    """Times in one of the common forms, read at once; None where a cell has another form."""
    lengths = TextBuffer.of(texts.drop_null()).lengths
    if len(lengths) == 0:
        return None
    # Shorter ones would be hours without minutes, which are no times here.
    with_offset = bool(lengths.min() >= _SHORTEST_WITH_OFFSET)
    if not with_offset and ((lengths != _DAY) & (lengths < _SHORTEST_TIME)).any():
        return None
    for zone in ("UTC", None) if with_offset else (None,):
        try:
            return texts.cast(pa.timestamp("us", zone))
        except pa.ArrowInvalid:
            continue
    return None


def _from_native(column: pa.Array, zone: ZoneInfo, ambiguous: Ambiguous) -> Times:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    aware = pa.types.is_timestamp(column.type) and column.type.tz is not None
    plain = column.cast(pa.timestamp("us", "UTC" if aware else None), safe=False)
    us = plain.cast(pa.int64()).fill_null(0).to_numpy()
    if aware:
        return _checked(us, missing, np.zeros(len(us), dtype=bool))
    return _localised(us, missing, np.zeros(len(us), dtype=bool), zone, ambiguous)


def _from_epoch(column: pa.Array, us_of_unit: int) -> Times:
    numbers = numbers_of(column)
    value = np.where(np.isfinite(numbers.value), numbers.value, 0.0) * us_of_unit
    us = np.rint(np.clip(value, -1e18, 1e18)).astype(np.int64)
    return _checked(us, numbers.missing, numbers.unreadable)


def _from_iso8601(texts: pa.Array, _format: str, zone: ZoneInfo, ambiguous: Ambiguous) -> Times:
    readable = pc.match_substring_regex(texts, _ISO8601).fill_null(False)
    short = pc.replace_substring_regex(texts, r"([.,]\d{6})\d+", r"\1")  # pandas would take ns
    has_offset = pc.and_(readable, pc.match_substring_regex(short, r":.*" + _OFFSET))
    with_offset = pc.if_else(has_offset, short, None)
    without = pc.if_else(pc.and_not(readable, has_offset), short, None)
    return _either(
        texts,
        _to_us(with_offset, "ISO8601", utc=True),
        _to_us(without, "ISO8601", utc=False),
        zone,
        ambiguous,
    )


def _from_strptime(
    texts: pa.Array, time_format: str, zone: ZoneInfo, ambiguous: Ambiguous
) -> Times:
    nothing = pa.nulls(len(texts), pa.string())
    aware = "%z" in time_format
    return _either(
        texts,
        _to_us(texts if aware else nothing, time_format, utc=True),
        _to_us(nothing if aware else texts, time_format, utc=False),
        zone,
        ambiguous,
    )


_NaT = np.iinfo(np.int64).min


def _to_us(texts: pa.Array, time_format: str, *, utc: bool) -> NDArray[np.int64]:
    values = pd.Series(texts.to_numpy(zero_copy_only=False), dtype=object)
    parsed = pd.to_datetime(values, format=time_format, errors="coerce", utc=utc)
    plain = parsed.dt.tz_convert(None) if utc else parsed
    return plain.to_numpy().astype("datetime64[us]").astype(np.int64)


def _either(
    texts: pa.Array,
    with_offset: NDArray[np.int64],
    without: NDArray[np.int64],
    zone: ZoneInfo,
    ambiguous: Ambiguous,
) -> Times:
    missing = texts.is_null().to_numpy(zero_copy_only=False)
    unreadable = (with_offset == _NaT) & (without == _NaT) & ~missing
    local = without != _NaT
    times = _localised(np.where(local, without, 0), missing, unreadable, zone, ambiguous)
    us = np.where(local, times.us, np.where(with_offset == _NaT, 0, with_offset))
    return Times(
        us, missing, unreadable, _absurd(us, missing | unreadable),
        times.ambiguous & local, times.nonexistent & local,
    )  # fmt: skip


def _localised(
    us: NDArray[np.int64],
    missing: NDArray[np.bool_],
    unreadable: NDArray[np.bool_],
    zone: ZoneInfo,
    ambiguous: Ambiguous,
) -> Times:
    absurd = _absurd(us, missing | unreadable)
    if zone.key == "UTC":
        nothing = np.zeros(len(us), dtype=bool)
        return Times(us, missing, unreadable, absurd, nothing, nothing)
    # Clocks are set at whole quarters of an hour, so one look-up per distinct one will do.
    codes, quarters = pd.factorize(np.where(absurd, 0, us) // _QUARTER_US)
    local = pd.DatetimeIndex((quarters * _QUARTER_US).astype("datetime64[us]"))
    is_dst = np.full(len(local), ambiguous != "later")
    known = local.tz_localize(zone, ambiguous=is_dst, nonexistent="shift_forward")
    twice = local.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()[codes]
    never = local.tz_localize(zone, ambiguous=is_dst, nonexistent="NaT").isna()[codes]
    shift = known.tz_convert("UTC").as_unit("us").asi8 - quarters * _QUARTER_US
    usable = ~(missing | unreadable | absurd)
    return Times(
        np.where(absurd, us, us + shift[codes]), missing, unreadable, absurd,
        twice & usable & (ambiguous == "reject"), never & usable,
    )  # fmt: skip


def _checked(
    us: NDArray[np.int64], missing: NDArray[np.bool_], unreadable: NDArray[np.bool_]
) -> Times:
    nothing = np.zeros(len(us), dtype=bool)
    return Times(us, missing, unreadable, _absurd(us, missing | unreadable), nothing, nothing)


def _absurd(us: NDArray[np.int64], faulty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return ((us < FIRST_US) | (us >= LAST_US)) & ~faulty

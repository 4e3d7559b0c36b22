"""An event index is made once, brought up to date, and made again when it is of no use."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.ingest import index_folder
from app.ingest.entity_frames import entity_frame
from app.ingest.event_rows import SCHEMA
from app.ingest.index_folder import open_event_log
from app.ingest.parts import PartFile
from model.errors import InvalidEvents
from model.events import EventLog
from tests.app.event_logs import event_frame
from tests.model.events.stored_logs import assert_same_log
from tests.model.made_logs import TIME_ZONE, random_events


def event_part(folder: Path, number: int, **further: list[object]) -> PartFile:
    """A part of events of their own time, with further columns as they stand in a part."""
    frame = random_events(np.random.default_rng(number), events=40)
    frame = frame.assign(
        value=np.nan, key=np.arange(40, dtype=np.uint64), **{k: v * 20 for k, v in further.items()}
    )
    names = [name for name in SCHEMA.names if name != "key"]
    fields = [SCHEMA.field(name) for name in names]
    fields += [
        pa.field(name, pa.float64() if name.startswith("number:") else pa.string())
        for name in further
    ]
    table = pa.Table.from_pandas(
        frame, pa.schema([*fields, SCHEMA.field("key")]), preserve_index=False
    )
    path = folder / f"{number}.parquet"
    pq.write_table(table, path, row_group_size=15)
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return PartFile(path, "events", moment, moment)


def user_part(folder: Path, name: str, ids: list[str], ages: list[float | None]) -> PartFile:
    path = folder / f"{name}.parquet"
    columns = {"user": pa.array(ids, pa.string()), "number:age": pa.array(ages, pa.float64())}
    pq.write_table(pa.table(columns), path)
    return PartFile(path, "users", None, None)


def opened(parts: Sequence[PartFile]) -> EventLog:
    return open_event_log(parts, "shop", TIME_ZONE, memory_mb=16)


def plain(parts: Sequence[PartFile]) -> EventLog:
    return EventLog.from_frames(
        event_frame(parts), entity_frame(parts, "user"), entity_frame(parts, "item"), TIME_ZONE
    )


def folders(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.is_dir())


def builds_from(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each index that is made had a base."""
    bases: list[bool] = []
    build = index_folder.build_index

    def noted(*args: object, **more: object) -> None:
        bases.append(more["base"] is not None)
        build(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(index_folder, "build_index", noted)
    return bases


def test_parts_are_read_as_frames_of_them_would_be(tmp_path: Path) -> None:
    parts = [
        event_part(tmp_path, 1, **{"undeclared:rank": ["1", "2.5"], "category:way": ["web", None]}),
        user_part(tmp_path, "users", ["u1", "new"], [30.0, None]),
        event_part(tmp_path, 2, **{"undeclared:rank": [None, "7"], "number:mark": [1.5, np.nan]}),
        event_part(tmp_path, 3, **{"undeclared:code": ["1", "x"]}),
        event_part(tmp_path, 4, **{"undeclared:code": ["2", None], "dropped:way": [None, None]}),
    ]
    log = opened(parts)
    assert_same_log(log, plain(parts))
    kinds = {name: column.data.dtype.kind for name, column in log.columns.items()}
    assert kinds == {"rank": "f", "mark": "f", "code": "i"}


def test_an_index_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = builds_from(monkeypatch)
    parts = [event_part(tmp_path, 1)]
    first = opened(parts)
    assert_same_log(opened(parts), first)
    assert made == [False]


def test_new_parts_are_merged_into_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = builds_from(monkeypatch)
    parts = [event_part(tmp_path, 1), user_part(tmp_path, "a", ["u1"], [30.0])]
    old = opened(parts)
    parts += [event_part(tmp_path, 2), user_part(tmp_path, "b", ["u1", "u77"], [31.0, 5.0])]
    assert_same_log(opened(parts), plain(parts))
    assert made == [False, True]
    assert len(folders(tmp_path)) == 1
    assert_same_log(old, plain(parts[:2]))  # whoever has the old one open goes on with it


def test_what_is_understood_otherwise_now_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = builds_from(monkeypatch)
    parts = [event_part(tmp_path, 1, **{"undeclared:rank": ["1", "2"]})]
    opened(parts)
    parts.append(event_part(tmp_path, 2, **{"undeclared:rank": ["1", "second"]}))
    assert_same_log(opened(parts), plain(parts))
    assert made == [False, False]


@pytest.mark.parametrize("name", ["head.json", "log.item.npy", "users.ids.arrow"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, name: str) -> None:
    parts = [event_part(tmp_path, 1)]
    opened(parts)
    damaged = tmp_path / folders(tmp_path)[0] / name
    damaged.write_bytes(damaged.read_bytes()[:-3])
    assert_same_log(opened(parts), plain(parts))


def test_it_is_told_why_an_index_is_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A first index is no damage."""
    parts = [event_part(tmp_path, 1)]
    with caplog.at_level("INFO"):
        opened(parts)
        (folder,) = folders(tmp_path)
        for file in (tmp_path / folder).iterdir():
            file.write_bytes(b"")
        opened(parts)
    first, again = [told for told in caplog.messages if "making an event index" in told]
    assert "have none yet" in first
    assert "cannot be read" in again


def test_an_older_revision_can_still_be_read(tmp_path: Path) -> None:
    parts = [event_part(tmp_path, 1), event_part(tmp_path, 2)]
    opened(parts)
    assert_same_log(opened(parts[:1]), plain(parts[:1]))
    assert_same_log(opened(parts), plain(parts))


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".index-0-0").mkdir()
    opened([event_part(tmp_path, 1)])
    assert len(folders(tmp_path)) == 1


def test_many_ask_at_once_and_one_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = builds_from(monkeypatch)
    parts = [event_part(tmp_path, 1)]
    expected = plain(parts)
    with ThreadPoolExecutor(4) as threads:
        for log in threads.map(opened, [parts] * 4):
            assert_same_log(log, expected)
    assert made == [False]


def test_without_events_there_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(InvalidEvents, match="dataset 'shop' has no events"):
        opened([user_part(tmp_path, "users", ["a"], [1.0])])
    assert pd.Index(folders(tmp_path)).empty

"""What an engine answered: kept as files to compare value by value, or folded into sums."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import snapshot_task as task
from benchmarks.snapshot_task import Part

RELATIVE_TOLERANCE = 1e-5
"""Columns are float32; sums of money are added up in another order by each engine."""
ABSOLUTE_TOLERANCE = 1e-5
SUM_TOLERANCE = 1e-5


def folded(parts: Iterable[Part]) -> dict[str, float]:
    """The sum of each column over all parts, undefined values left out; parts are dropped."""
    sums: dict[str, float] = {}
    for part in parts:
        columns = {**part.columns, **part.sequences, "rows": np.ones(len(part.codes))}
        for name, values in columns.items():
            total = values.sum(dtype=np.int64 if values.dtype.kind in "iu" else np.float64)
            if np.isnan(total):
                total = np.nansum(values, dtype=np.float64)
            if part.lengths is not None and name in task.SEQUENCE_CODES:
                total -= part.first_code * part.lengths.sum()
            key = f"{part.entity}.{name}"
            sums[key] = sums.get(key, 0.0) + float(total)
    return sums


def keep(parts: Iterable[Part], folder: Path) -> dict[str, float]:
    """One file per entity kind and cutoff, rows by code; says how many rows there are."""
    found: dict[str, list[dict[str, npt.NDArray[np.generic]]]] = {}
    rows = {f"{entity}.rows": 0.0 for entity in task.ENTITIES}
    for part in parts:
        columns = {"codes": part.codes, **part.columns, **_padded(part)}
        cutoffs_us = np.broadcast_to(part.cutoffs_us, len(part.codes))
        for cutoff_us in np.unique(cutoffs_us).tolist():
            at = np.flatnonzero(cutoffs_us == cutoff_us)
            taken = {name: np.asarray(values)[at] for name, values in columns.items()}
            found.setdefault(f"{part.entity}-{cutoff_us}", []).append(taken)
        rows[f"{part.entity}.rows"] += len(part.codes)
    folder.mkdir(parents=True, exist_ok=True)
    for name, pieces in found.items():
        order = np.argsort(np.concatenate([piece["codes"] for piece in pieces]), kind="stable")
        whole = {
            column: np.concatenate([piece[column] for piece in pieces])[order]
            for column in pieces[0]
        }
        np.savez(folder / f"{name}.npz", **whole)
    return rows


def _padded(part: Part) -> dict[str, npt.NDArray[np.generic]]:
    """(R, L) per column of the sequences, the newest event last, NaN in front."""
    if part.lengths is None:
        return {}
    lengths = np.asarray(part.lengths, dtype=np.int64)
    is_there = np.arange(task.SEQUENCE_LENGTH) >= task.SEQUENCE_LENGTH - lengths[:, None]
    padded = {}
    for name, values in part.sequences.items():
        wide = np.full(is_there.shape, np.nan)
        wide[is_there] = values if values.ndim == 1 else values[is_there]
        padded[name] = wide - part.first_code if name in task.SEQUENCE_CODES else wide
    return padded


def mismatches(left: Path, right: Path) -> list[str]:
    """Which columns of which parts differ beyond rounding, with how often; also what is missing."""
    names = sorted({path.name for folder in (left, right) for path in folder.glob("*.npz")})
    found: list[str] = []
    for name in names:
        if not ((left / name).exists() and (right / name).exists()):
            found.append(f"{name}: only one has it")
            continue
        found += [
            f"{name}: {text}" for text in _differing(np.load(left / name), np.load(right / name))
        ]
    return found


def _differing(
    left: dict[str, npt.NDArray[np.generic]], right: dict[str, npt.NDArray[np.generic]]
) -> Iterable[str]:
    for column in sorted(set(left) | set(right)):
        if column not in left or column not in right:
            yield f"{column}: only one has it"
        elif left[column].shape != right[column].shape:
            yield f"{column}: {left[column].shape} and {right[column].shape}"
        else:
            near = np.isclose(
                left[column],
                right[column],
                rtol=RELATIVE_TOLERANCE,
                atol=ABSOLUTE_TOLERANCE,
                equal_nan=True,
            )
            if not near.all():
                yield f"{column}: {np.count_nonzero(~near)} of {near.size} differ"


def sums_differing(left: dict[str, float], right: dict[str, float]) -> list[str]:
    """Which sums of `folded` differ beyond rounding, or are in one answer alone."""
    return [
        name
        for name in sorted(set(left) | set(right))
        if name not in left
        or name not in right
        or not np.isclose(left[name], right[name], rtol=SUM_TOLERANCE)
    ]

"""Files that no live row names: left by crashes, ended jobs, deleted datasets.

First the files are listed, then the rows are read, then the files are removed that no row names
and that have not changed for a grace time. A file whose row is about to be committed is protected
by the grace; what a queued or running job may need is named by the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Import, Installation, Job, ModelVersion, Part
from app.jobs.states import TERMINAL

_PLACES = (
    "staging/*",
    "runs/*",
    "datasets/*",
    "datasets/*/*.parquet",
    "datasets/*/*.jsonl.gz",
    "datasets/*/index-*",
    "datasets/*/.index-*",
    "datasets/*/models/*",
    "datasets/*/checkpoints/*",
)
"""Where the service leaves files, in the data directory; nothing else is ever looked at."""

_MARK = "installation"


@dataclass(frozen=True)
class Names:
    """What live rows name.

    Attributes:
        datasets: their folders' names.
        paths: of parts, rejections and artifacts, in the data directory.
        open_jobs: ids of the jobs that have not ended, with the token of their newest run.
    """

    datasets: frozenset[str]
    paths: frozenset[PurePath]
    open_jobs: dict[str, int]

    def have(self, path: PurePath) -> bool:
        """Whether a live row names this path of the data directory."""
        match path.parts:
            case ("staging", _):
                return False
            case ("runs", run):
                job, _, token = run.rpartition("-")
                return token == str(self.open_jobs.get(job))
            case ("datasets", dataset):
                return dataset in self.datasets or not dataset.isdecimal()  # or not ours
            case ("datasets", dataset, *_) if dataset not in self.datasets:
                return True  # goes with the whole folder
            case ("datasets", _, "models" | "checkpoints", run):
                return path in self.paths or run.partition("-")[0] in self.open_jobs
        return path in self.paths


def list_places(data_dir: Path) -> list[PurePath]:
    """All that lies where the service leaves files, as paths in the data directory."""
    found = (path for place in _PLACES for path in data_dir.glob(place))
    return [path.relative_to(data_dir) for path in found]


def owns_files(session: Session, data_dir: Path) -> bool:
    """Whether the data directory belongs to this database; the first one that asks gets it.

    Another database's rows may name files that ours do not.
    """
    installation = session.scalar(select(Installation.id))
    if installation is None:
        installation = uuid4().hex
        session.add(Installation(id=installation))
        session.flush()
    mark = data_dir / _MARK
    try:
        with mark.open("x") as file:
            file.write(installation)
    except FileExistsError:
        return mark.read_text() == installation
    return True


def read_names(session: Session) -> Names:
    """What live rows name now."""
    parts = session.scalars(select(Part.path)).all()
    rejections = session.scalars(select(Import.rejections_path)).all()
    artifacts = session.scalars(select(ModelVersion.artifact_path)).all()
    named = {PurePath(path) for path in (*parts, *rejections, *artifacts) if path is not None}
    jobs = session.execute(select(Job.id, Job.run_token).where(Job.state.not_in(TERMINAL)))
    return Names(
        datasets=frozenset(str(dataset_id) for dataset_id in session.scalars(select(Dataset.id))),
        paths=frozenset(named),
        open_jobs={job.id: job.run_token for job in jobs},
    )


def orphans(
    data_dir: Path, found: Iterable[PurePath], names: Names, unchanged_since: float
) -> Iterator[Path]:
    """What no row names and nobody has touched since then.

    Args:
        data_dir: the data directory.
        found: paths in it, listed before the names were read.
        names: what live rows name.
        unchanged_since: seconds since 1970, by the file system's clock.
    """
    unnamed = [path for path in found if not names.have(path)]
    indices = [path for path in unnamed if _is_index(path)]
    kept = _newest_of_each_dataset(data_dir, indices)
    for path in unnamed:
        if path in kept:
            continue
        if _changed_at(data_dir / path) < unchanged_since:
            yield data_dir / path


def _is_index(path: PurePath) -> bool:
    return path.parts[0] == "datasets" and len(path.parts) == 3 and path.name.startswith("index-")


def _newest_of_each_dataset(data_dir: Path, indices: Iterable[PurePath]) -> set[PurePath]:
    """An index is made anew where it is missing, so that no row names it; the newest one stays."""
    oldest_first = sorted(indices, key=lambda path: _changed_at(data_dir / path))
    return set({path.parent: path for path in oldest_first}.values())


def _changed_at(path: Path) -> float:
    """When the file, or the youngest in the folder, was written, moved or removed."""
    youngest = 0.0
    for one in (path, *path.rglob("*")):
        try:
            status = one.lstat()
        except FileNotFoundError:  # somebody has just removed it
            continue
        youngest = max(youngest, status.st_mtime, status.st_ctime)
    return youngest

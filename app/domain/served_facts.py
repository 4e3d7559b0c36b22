"""What the database says of a dataset that is served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, sessionmaker

from app.db.quick_query import ask
from app.db.tables import Dataset
from app.domain.aliases import list_aliases
from app.domain.predictors import LogSource, log_source_of
from app.domain.tails import Tail, tail_of


@dataclass(frozen=True)
class Facts:
    """A dataset as it is in one transaction.

    Attributes:
        source: where its log is.
        changes: its count of changes.
        aliases: where each points.
        tail: the batches that are asked for.
    """

    source: LogSource
    changes: int
    aliases: dict[str, int]
    tail: Tail


def count_changes(sessions: sessionmaker[Session], dataset_ids: Iterable[int]) -> dict[int, int]:
    """The counts of changes of those datasets that are there."""
    return dict(ask(sessions, _counts(tuple(dataset_ids))))


@lru_cache(maxsize=8)
def _counts(dataset_ids: tuple[int, ...]) -> Select[int, int]:
    return select(Dataset.id, Dataset.changes).where(Dataset.id.in_(dataset_ids))


def facts_of(
    session: Session,
    dataset_id: int,
    data_dir: Path,
    revision: int | None = None,
    sequence: int = 0,
) -> Facts | None:
    """What there is to know of a dataset; None if it is gone.

    Args:
        session: reads it.
        dataset_id: which.
        data_dir: where the files are.
        revision: what is known; at another one all batches of the tail are read.
        sequence: of the newest batch that is known at that revision.
    """
    dataset = session.get(Dataset, dataset_id)
    if dataset is None:
        return None
    return Facts(
        source=log_source_of(session, dataset, data_dir),
        changes=dataset.changes,
        aliases={found.alias.name: found.version for found in list_aliases(session, dataset)},
        tail=tail_of(session, dataset_id, sequence if dataset.revision == revision else 0),
    )

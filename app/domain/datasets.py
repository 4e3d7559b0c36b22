"""Datasets: made with a mapping, filled by imports, described by a profile."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db.tables import Dataset, Job, ModelVersion, Part
from app.domain import idempotency
from app.domain.attribute_profiles import attribute_profiles, column_kinds
from app.domain.idempotency import IdempotentRequest
from app.domain.tails import tail_rows
from app.errors import Conflict, NotFound
from app.ingest.mapping import Mapping
from app.ingest.parts import dataset_folder
from app.jobs.states import TERMINAL
from model.events import to_datetime
from model.tasks import AttributeProfile, ColumnKind, LogProfile

CREATE = "createDataset"

_SHOWN_NAMES = 20


@dataclass(frozen=True)
class DatasetProfile:
    """What a dataset holds, from its manifest alone; of its tail only how many events it has."""

    event_rows: int
    tail_events: int
    user_rows: int
    item_rows: int
    users: int
    items: int
    event_types: dict[str, int]
    first_at: datetime | None
    last_at: datetime | None
    bytes: int
    has_value: bool
    has_quantity: bool
    columns: dict[str, ColumnKind]
    attributes: dict[str, AttributeProfile]

    @property
    def has_time(self) -> bool:
        """Whether the events have times; one import decides for all later ones."""
        return self.first_at is not None

    @property
    def log(self) -> LogProfile | None:
        """What tasks are checked against; None while there are no events."""
        if self.event_rows == 0:
            return None
        return LogProfile(
            event_types=self.event_types,
            first_at=self.first_at or to_datetime(0),
            last_at=self.last_at or to_datetime(0),
            users=self.users,
            items=self.items,
            has_value=self.has_value,
            has_quantity=self.has_quantity,
            has_time=self.has_time,
            columns=self.columns,
            attributes=self.attributes,
        )


def create_dataset(
    session: Session,
    name: str,
    time_zone: str,
    mapping: Mapping,
    request: IdempotentRequest | None = None,
) -> tuple[Dataset, bool]:
    """A new dataset; the second answer is False if the same request made it earlier.

    Raises:
        Conflict: The name is taken.
        Invalid: The idempotency key was used for another request.
    """
    earlier = idempotency.created_before(session, request)
    if earlier is not None:
        return session.get_one(Dataset, int(earlier)), False
    dataset = Dataset(
        name=name,
        time_zone=time_zone,
        mapping=mapping.model_dump(mode="json", exclude_unset=True),
    )
    try:
        with session.begin_nested():
            session.add(dataset)
    except IntegrityError as error:
        # The same request may have been committed since it was looked for.
        earlier = idempotency.created_before(session, request)
        if earlier is not None:
            return session.get_one(Dataset, int(earlier)), False
        raise Conflict(
            f"there is a dataset {name!r} already: take another name, or delete it first",
            code="dataset_exists",
        ) from error
    idempotency.remember(session, request, str(dataset.id))
    return dataset, True


def get_dataset(session: Session, name: str, *, lock: bool = False) -> Dataset:
    """The dataset of this name.

    With `lock` nobody else deletes it, or changes what it has, until the transaction ends; rows
    that refer to it can be added.

    Raises:
        NotFound: There is none; the message says which there are.
    """
    statement = select(Dataset).where(Dataset.name == name)
    if lock:
        statement = statement.with_for_update(key_share=True)
        statement = statement.execution_options(populate_existing=True)
    dataset = session.scalar(statement)
    if dataset is None:
        raise NotFound(f"no dataset {name!r}; {_existing(session)}", code="dataset_not_found")
    return dataset


def note_change(session: Session, dataset_id: int) -> None:
    """Tell whoever serves the dataset that something which predictions look at has changed.

    It holds the dataset's row, as `get_dataset` with a lock does.
    """
    session.execute(
        update(Dataset).where(Dataset.id == dataset_id).values(changes=Dataset.changes + 1)
    )


def list_datasets(session: Session, after: str | None, limit: int) -> list[Dataset]:
    """Datasets by name, one more than `limit` if there are more."""
    statement = select(Dataset).order_by(Dataset.name).limit(limit + 1)
    if after is not None:
        statement = statement.where(Dataset.name > after)
    return list(session.scalars(statement))


def mapping_of(dataset: Dataset) -> Mapping:
    """The mapping it was made with."""
    return Mapping.model_validate(dataset.mapping)


def profile_dataset(session: Session, dataset: Dataset) -> DatasetProfile:
    """What the dataset holds."""
    parts = list(session.scalars(select(Part).where(Part.dataset_id == dataset.id)))
    events = [part for part in parts if part.table == "events"]
    types: Counter[str] = Counter()
    for part in events:
        types.update(part.event_types)
    firsts = [part.first_at for part in events if part.first_at is not None]
    lasts = [part.last_at for part in events if part.last_at is not None]
    return DatasetProfile(
        event_rows=sum(part.rows for part in events),
        tail_events=tail_rows(session, dataset.id),
        user_rows=_total(parts, "new_rows", "users"),
        item_rows=_total(parts, "new_rows", "items"),
        users=_total(parts, "new_users"),
        items=_total(parts, "new_items"),
        event_types=dict(types.most_common()),
        first_at=min(firsts, default=None),
        last_at=max(lasts, default=None),
        bytes=sum(part.bytes for part in parts),
        has_value=_total(events, "value") > 0,
        has_quantity=_total(events, "quantity") > 0,
        columns=column_kinds(events),
        attributes=attribute_profiles(parts),
    )


def delete_dataset(session: Session, name: str, data_dir: Path) -> list[Path]:
    """Remove the dataset's rows; returns the files and folders to remove after the commit.

    Raises:
        NotFound: There is none of this name.
        Conflict: A job works on it.
    """
    dataset = get_dataset(session, name, lock=True)
    active = session.scalar(
        select(Job.id).where(Job.dataset_id == dataset.id, Job.state.not_in(TERMINAL)).limit(1)
    )
    if active is not None:
        raise Conflict(
            f"job {active} works on the dataset {name!r}: cancel it, or wait for its end",
            code="dataset_in_use",
        )
    artifacts = session.scalars(
        select(ModelVersion.artifact_path).where(ModelVersion.dataset_id == dataset.id)
    )
    paths = [dataset_folder(data_dir, dataset.id), *(data_dir / path for path in artifacts)]
    idempotency.forget(session, CREATE, str(dataset.id))
    idempotency.forget(session, import_operation(dataset.id))
    idempotency.forget(session, batch_operation(dataset.id))
    session.delete(dataset)
    session.flush()
    return paths


def remove_files(paths: Iterable[Path], data_dir: Path) -> None:
    """Remove what a deleted dataset has left; nothing outside the data directory."""
    root = data_dir.resolve()
    for path in paths:
        if not path.resolve().is_relative_to(root):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def import_operation(dataset_id: int) -> str:
    """What an import's idempotency key belongs to."""
    return f"createImport:{dataset_id}"


def batch_operation(dataset_id: int) -> str:
    """What an event batch's idempotency key belongs to."""
    return f"postEvents:{dataset_id}"


def _total(parts: Iterable[Part], count: str, table: str | None = None) -> int:
    return sum(part.counts.get(count, 0) for part in parts if table in {None, part.table})


def _existing(session: Session) -> str:
    names = list_datasets(session, None, _SHOWN_NAMES)
    if not names:
        return "there are none yet: POST /v1/datasets makes one"
    more = ", …" if len(names) > _SHOWN_NAMES else ""
    return "there are " + ", ".join(dataset.name for dataset in names[:_SHOWN_NAMES]) + more

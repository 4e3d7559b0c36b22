"""The tables. A dataset has imports, parts, tasks, schedules, jobs, versions, prediction sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.db.types import Json, UtcDateTime, utc_now

_BigKey = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up INTEGER keys only


class Base(DeclarativeBase):
    """Root of the mapped classes; constraints have names so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: Json, list[Any]: Json, datetime: UtcDateTime, str: Text}  # noqa: RUF012


class Installation(Base):
    """The one row says which installation this is; a file in its data directory says the same."""

    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(primary_key=True)


class Dataset(Base):
    """One shop's events, users and items; `revision` grows with each import.

    `changes` counts whatever predictions look at: imports, event batches, versions, aliases. Who
    serves the dataset looks at this number alone, and at the rest when it has grown.
    `event_sequence` is that of the newest batch of events.

    An id is never given twice, also on SQLite, because the dataset's folder is named after it.
    """

    __tablename__ = "dataset"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    time_zone: Mapped[str]
    mapping: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=0)
    changes: Mapped[int] = mapped_column(BigInteger, default=0)
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = ({"sqlite_autoincrement": True},)


class Import(Base):
    """One upload that was taken whole; `rejections` holds the first rejected rows."""

    __tablename__ = "import"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    table: Mapped[str]
    format: Mapped[str]
    on_error: Mapped[str]
    rows_read: Mapped[int] = mapped_column(BigInteger)
    rows_accepted: Mapped[int] = mapped_column(BigInteger)
    rows_duplicate: Mapped[int] = mapped_column(BigInteger)
    rows_rejected: Mapped[int] = mapped_column(BigInteger)
    rejections_by_code: Mapped[dict[str, Any]]
    rejections: Mapped[list[Any]]
    rejections_path: Mapped[str | None]
    notes: Mapped[list[Any]] = mapped_column(default=list)
    dataset_revision: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_import_dataset_id", "dataset_id"),)


class Part(Base):
    """One immutable Parquet file of a dataset's events, users or items: the manifest's row.

    `path` is relative to the data directory. `counts` has the numbers a profile is made of:
    `new_users` and `new_items`, ids that no earlier part of any table has; of events also the rows
    that have a `user`, `item`, `quantity`, `value`; of users and items also `new_rows`, ids that
    the table did not have. `columns` says what each attribute or further column holds, `values`
    which texts, at most one more than a profile shows. Events without times have no `first_at` and
    no `last_at`.
    """

    __tablename__ = "part"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    import_id: Mapped[int] = mapped_column(ForeignKey("import.id", ondelete="CASCADE"))
    table: Mapped[str]
    path: Mapped[str] = mapped_column(unique=True)
    sha256: Mapped[str]
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    event_types: Mapped[dict[str, Any]]
    counts: Mapped[dict[str, Any]]
    columns: Mapped[dict[str, Any]] = mapped_column(default=dict)
    values: Mapped[dict[str, Any]] = mapped_column(default=dict)
    schema_version: Mapped[int]

    __table_args__ = (Index("ix_part_dataset_id_table", "dataset_id", "table"),)


class EventBatch(Base):
    """What became of a batch of events that was posted; `rejections` holds the first bad rows."""

    __tablename__ = "event_batch"

    id: Mapped[int] = mapped_column(_BigKey, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    on_error: Mapped[str]
    rows_read: Mapped[int] = mapped_column(BigInteger)
    rows_accepted: Mapped[int] = mapped_column(BigInteger)
    rows_duplicate: Mapped[int] = mapped_column(BigInteger)
    rows_rejected: Mapped[int] = mapped_column(BigInteger)
    rejections_by_code: Mapped[dict[str, Any]]
    rejections: Mapped[list[Any]]
    notes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_event_batch_dataset_id", "dataset_id"),)


class TailEvents(Base):
    """The events of a batch until they are in a part; `sequence` grows in the order of commits.

    `content` is `app.ingest.event_batch.to_bytes` of the rows.
    """

    __tablename__ = "tail_events"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    batch_id: Mapped[int] = mapped_column(_BigKey, ForeignKey("event_batch.id", ondelete="CASCADE"))
    rows: Mapped[int] = mapped_column(BigInteger)
    has_time: Mapped[bool]
    content: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class TaskRow(Base):
    """A declared prediction task; `revision` is its ETag."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str]
    declaration: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (UniqueConstraint("dataset_id", "name", name="uq_task_dataset_id_name"),)


class Job(Base):
    """Background work; its states and transitions are drawn in `app.jobs.states`.

    `checkpoint` is the folder that holds its checkpoints, in the data directory; it is empty once
    the job has ended.

    A job without a dataset is for the whole service. `schedule` is the name of the schedule of its
    dataset that made it; the schedule may be gone.
    """

    __tablename__ = "job"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    schedule: Mapped[str | None]
    arguments: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    fingerprint: Mapped[str]
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(default=0)
    run_at: Mapped[datetime] = mapped_column(default=utc_now)
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    losses: Mapped[int] = mapped_column(default=0)
    run_token: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checkpoint: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_job_state_priority_run_at", "state", "priority", "run_at"),
        Index("ix_job_dataset_id", "dataset_id"),
    )


class JobEvent(Base):
    """What happened to a job, in order: state changes, progress, log lines. SSE replays it."""

    __tablename__ = "job_event"

    id: Mapped[int] = mapped_column(_BigKey, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_job_event_job_id_id", "job_id", "id"),)


class Schedule(Base):
    """When a dataset is to be trained anew: by a cron expression, or after so many new events.

    `next_run_at` is set while an enabled schedule has a cron expression; `training` is what is
    asked of each training, as `app.domain.training_jobs.TrainingRequest` has it in JSON.
    """

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str]
    cron: Mapped[str | None]
    time_zone: Mapped[str | None]
    after_new_events: Mapped[int | None] = mapped_column(BigInteger)
    training: Mapped[dict[str, Any]]
    enabled: Mapped[bool]
    revision: Mapped[int] = mapped_column(default=1)
    next_run_at: Mapped[datetime | None]
    last_run_at: Mapped[datetime | None]
    last_job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    last_error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        UniqueConstraint("dataset_id", "name", name="uq_schedule_dataset_id_name"),
        # Its id stands in the idempotency keys of its jobs, so it is never given twice.
        {"sqlite_autoincrement": True},
    )


class ModelVersion(Base):
    """A trained model: points to its artifact, holds its report and task graph."""

    __tablename__ = "model_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    number: Mapped[int]
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    artifact_path: Mapped[str]
    dataset_revision: Mapped[int]
    cutoff_at: Mapped[datetime]
    predictions_removed_at: Mapped[datetime | None]
    tasks: Mapped[list[Any]]
    # Large, and not asked for when a prediction looks its version up.
    report: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    task_graph: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        UniqueConstraint("dataset_id", "number", name="uq_model_version_dataset_id_number"),
    )


class Alias(Base):
    """A name such as `champion` that points to a model version."""

    __tablename__ = "alias"

    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_version.id", ondelete="CASCADE")
    )
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class PredictionSet(Base):
    """What a model version says of many entities at one cutoff.

    It is written by its job, chunk by chunk, and seen by nobody until `published_at` is set, in the
    transaction that finishes the job; then it never changes. Of the published ones that are
    `ranked`, the newest that has a task is what the version's ranking of that task reads. A set
    that is withdrawn loses its job, its version and `published_at`, and is then removed piece by
    piece.

    An id is never given twice, also on SQLite, because cursors name it.
    """

    __tablename__ = "prediction_set"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    model_version_id: Mapped[int | None] = mapped_column(
        ForeignKey("model_version.id", ondelete="CASCADE")
    )
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id", ondelete="SET NULL"))
    cutoff_at: Mapped[datetime]
    ranked: Mapped[bool]
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    published_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "ix_prediction_set_model_version_id_published_at", "model_version_id", "published_at"
        ),
        Index("ix_prediction_set_dataset_id", "dataset_id"),
        Index("ix_prediction_set_job_id", "job_id"),
        {"sqlite_autoincrement": True},
    )


class PredictionSetTask(Base):
    """A task of a prediction set: how many rows, and how their parameters are understood.

    `scale` and `classes` are the model's of this task, see `model.distributions`.
    """

    __tablename__ = "prediction_set_task"

    prediction_set_id: Mapped[int] = mapped_column(
        ForeignKey("prediction_set.id", ondelete="CASCADE"), primary_key=True
    )
    task: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    scale: Mapped[dict[str, Any]]
    classes: Mapped[list[Any]]


class PredictionChunk(Base):
    """Some rows of a task of a prediction set, in columns, see `app.domain.prediction_chunks`.

    The rows of a task are in the order of their points, so many in each chunk but the last: where
    a row stands says in which chunk it is.
    """

    __tablename__ = "prediction_chunk"

    prediction_set_id: Mapped[int] = mapped_column(
        ForeignKey("prediction_set.id", ondelete="CASCADE"), primary_key=True
    )
    task: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class PredictionLog(Base):
    """What was answered online of some entities, and what the shadow would have said.

    All rows are of one task at one cutoff; both contents are chunks as in a prediction set, with
    the same entities in the same order.
    """

    __tablename__ = "prediction_log"

    id: Mapped[int] = mapped_column(_BigKey, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    model_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_version.id", ondelete="CASCADE")
    )
    shadow_version_id: Mapped[int] = mapped_column(
        ForeignKey("model_version.id", ondelete="CASCADE")
    )
    task: Mapped[str]
    cutoff_at: Mapped[datetime]
    rows: Mapped[int]
    answered: Mapped[bytes] = mapped_column(LargeBinary)
    shadowed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        Index("ix_prediction_log_shadow_version_id_task", "shadow_version_id", "task", "cutoff_at"),
        Index("ix_prediction_log_model_version_id_task", "model_version_id", "task", "cutoff_at"),
        Index("ix_prediction_log_dataset_id", "dataset_id"),
        Index("ix_prediction_log_created_at", "created_at"),
    )


class IdempotencyRecord(Base):
    """What a POST with an `Idempotency-Key` created: the same POST gives the same answer."""

    __tablename__ = "idempotency_record"

    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    resource_id: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

"""Predictions are stored in sets, in chunks of columns; what is stored already becomes a set.

Revision: 0004
Follows: 0003
"""

from collections.abc import Iterator
from itertools import groupby

import pyarrow as pa
import sqlalchemy as sa
from alembic import op

from app.db.types import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CHUNK_ROWS = 4096


def upgrade() -> None:
    op.create_table(
        "prediction_set",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("cutoff_at", UtcDateTime(), nullable=False),
        sa.Column("ranked", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_prediction_set_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_version.id"],
            name=op.f("fk_prediction_set_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name=op.f("fk_prediction_set_job_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction_set")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_prediction_set_model_version_id_published_at",
        "prediction_set",
        ["model_version_id", "published_at"],
    )
    op.create_index("ix_prediction_set_dataset_id", "prediction_set", ["dataset_id"])
    op.create_index("ix_prediction_set_job_id", "prediction_set", ["job_id"])
    op.create_table(
        "prediction_set_task",
        sa.Column("prediction_set_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("scale", Json, nullable=False),
        sa.Column("classes", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["prediction_set_id"],
            ["prediction_set.id"],
            name=op.f("fk_prediction_set_task_prediction_set_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("prediction_set_id", "task", name=op.f("pk_prediction_set_task")),
    )
    op.create_table(
        "prediction_chunk",
        sa.Column("prediction_set_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prediction_set_id"],
            ["prediction_set.id"],
            name=op.f("fk_prediction_chunk_prediction_set_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "prediction_set_id", "task", "number", name=op.f("pk_prediction_chunk")
        ),
    )
    if op.get_bind().dialect.name == "postgresql":
        # Floats do not get smaller: PostgreSQL need not try.
        op.execute("ALTER TABLE prediction_chunk ALTER COLUMN content SET STORAGE EXTERNAL")
    _keep_what_is_stored(op.get_bind())
    op.drop_index("ix_prediction_rank", table_name="prediction")
    op.drop_table("prediction")


def downgrade() -> None:
    op.create_table(
        "prediction",
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("point", sa.Float(), nullable=False),
        sa.Column("cold_start", sa.Boolean(), nullable=False),
        sa.Column("distribution", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_version.id"],
            name=op.f("fk_prediction_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "model_version_id", "task", "entity_id", "item_id", name=op.f("pk_prediction")
        ),
    )
    op.create_index(
        "ix_prediction_rank",
        "prediction",
        ["model_version_id", "task", "point", "entity_id", "item_id"],
    )
    for table in ("prediction_chunk", "prediction_set_task", "prediction_set"):
        op.drop_table(table)


_VERSION = sa.table(
    "model_version",
    sa.column("id", sa.Integer()),
    sa.column("dataset_id", sa.Integer()),
    sa.column("job_id", sa.Text()),
    sa.column("cutoff_at", UtcDateTime()),
    sa.column("created_at", UtcDateTime()),
    sa.column("predictions_removed_at", UtcDateTime()),
)
_PREDICTION = sa.table(
    "prediction",
    sa.column("model_version_id", sa.Integer()),
    sa.column("task", sa.Text()),
    sa.column("entity_id", sa.Text()),
    sa.column("item_id", sa.Text()),
    sa.column("point", sa.Float()),
    sa.column("cold_start", sa.Boolean()),
    sa.column("distribution", sa.Text()),
)
_SET = sa.table(
    "prediction_set",
    sa.column("id", sa.Integer()),
    sa.column("dataset_id", sa.Integer()),
    sa.column("model_version_id", sa.Integer()),
    sa.column("job_id", sa.Text()),
    sa.column("cutoff_at", UtcDateTime()),
    sa.column("ranked", sa.Boolean()),
    sa.column("rows", sa.BigInteger()),
    sa.column("bytes", sa.BigInteger()),
    sa.column("created_at", UtcDateTime()),
    sa.column("published_at", UtcDateTime()),
)
_TASK = sa.table(
    "prediction_set_task",
    sa.column("prediction_set_id", sa.Integer()),
    sa.column("task", sa.Text()),
    sa.column("rows", sa.BigInteger()),
    sa.column("scale", Json),
    sa.column("classes", Json),
)
_CHUNK = sa.table(
    "prediction_chunk",
    sa.column("prediction_set_id", sa.Integer()),
    sa.column("task", sa.Text()),
    sa.column("number", sa.Integer()),
    sa.column("content", sa.LargeBinary()),
)


def _keep_what_is_stored(connection: sa.Connection) -> None:
    """Each version's rows become a set; its chunks hold the answers as they were."""
    kept = sa.select(_VERSION).where(_VERSION.c.predictions_removed_at.is_(None))
    for number, version in enumerate(connection.execute(kept.order_by(_VERSION.c.id)).all(), 1):
        connection.execute(
            _SET.insert().values(
                id=number,
                dataset_id=version.dataset_id,
                model_version_id=version.id,
                job_id=version.job_id,
                cutoff_at=version.cutoff_at,
                ranked=True,
                rows=0,
                bytes=0,
                created_at=version.created_at,
                published_at=version.created_at,
            )
        )
        rows = stored_bytes = 0
        names = sa.select(_PREDICTION.c.task).where(_PREDICTION.c.model_version_id == version.id)
        for task in connection.scalars(names.distinct()).all():
            in_task = 0
            for chunk, content in enumerate(_chunks(connection, version.id, task)):
                in_task += content[1]
                stored_bytes += len(content[0])
                connection.execute(
                    _CHUNK.insert().values(
                        prediction_set_id=number, task=task, number=chunk, content=content[0]
                    )
                )
            connection.execute(
                _TASK.insert().values(
                    prediction_set_id=number, task=task, rows=in_task, scale={}, classes=[]
                )
            )
            rows += in_task
        connection.execute(
            _SET.update().where(_SET.c.id == number).values(rows=rows, bytes=stored_bytes)
        )
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text(
                "SELECT setval(pg_get_serial_sequence('prediction_set', 'id'), "
                "COALESCE((SELECT max(id) FROM prediction_set), 0) + 1, false)"
            )
        )


def _chunks(connection: sa.Connection, version: int, task: str) -> Iterator[tuple[bytes, int]]:
    column = _PREDICTION.c
    document = (
        sa.cast(column.distribution, sa.Text)
        if connection.dialect.name == "postgresql"
        else column.distribution
    )
    query = sa.select(column.entity_id, column.item_id, column.point, column.cold_start, document)
    query = query.where(column.model_version_id == version, column.task == task)
    # In the order of bytes on both databases, as the service orders ids.
    ids = [
        sa.collate(name, "C") if connection.dialect.name == "postgresql" else name
        for name in (column.entity_id, column.item_id)
    ]
    query = query.order_by(column.point, *ids).execution_options(yield_per=_CHUNK_ROWS)
    rows = connection.execute(query)
    for _, group in groupby(enumerate(rows), key=lambda row: row[0] // _CHUNK_ROWS):
        chunk = [tuple(row) for _, row in group]
        yield _encoded(chunk), len(chunk)


def _encoded(rows: list[tuple[str, str, float, bool, str]]) -> bytes:
    entity_ids, item_ids, point, cold_start, answers = zip(*rows, strict=True)
    columns = {"entity_id": pa.array(entity_ids, pa.string())}
    if any(item_ids):
        columns["item_id"] = pa.array(item_ids, pa.string())
    columns["point"] = pa.array(point, pa.float64())
    columns["cold_start"] = pa.array(cold_start, pa.bool_())
    columns["answer"] = pa.array(answers, pa.string())
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content

"""Event batches: what became of them, and the events that are in no part yet.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

from app.db.types import Json, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    sequence = sa.Column("event_sequence", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("dataset", sequence)
    op.create_table(
        "event_batch",
        sa.Column("id", _BIG_KEY, nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("on_error", sa.Text(), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_accepted", sa.BigInteger(), nullable=False),
        sa.Column("rows_duplicate", sa.BigInteger(), nullable=False),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=False),
        sa.Column("rejections_by_code", Json, nullable=False),
        sa.Column("rejections", Json, nullable=False),
        sa.Column("notes", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_event_batch_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_batch")),
    )
    op.create_index("ix_event_batch_dataset_id", "event_batch", ["dataset_id"])
    op.create_table(
        "tail_events",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", _BIG_KEY, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("has_time", sa.Boolean(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["event_batch.id"],
            name=op.f("fk_tail_events_batch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_tail_events_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_id", "sequence", name=op.f("pk_tail_events")),
    )


def downgrade() -> None:
    op.drop_table("tail_events")
    op.drop_index("ix_event_batch_dataset_id", "event_batch")
    op.drop_table("event_batch")
    op.drop_column("dataset", "event_sequence")

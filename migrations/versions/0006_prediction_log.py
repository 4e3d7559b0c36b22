"""What was predicted online is logged beside what the shadow says.

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

from app.db.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prediction_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("shadow_version_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("cutoff_at", UtcDateTime(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("answered", sa.LargeBinary(), nullable=False),
        sa.Column("shadowed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
            name=op.f("fk_prediction_log_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_version.id"],
            name=op.f("fk_prediction_log_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["shadow_version_id"],
            ["model_version.id"],
            name=op.f("fk_prediction_log_shadow_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction_log")),
    )
    op.create_index(
        "ix_prediction_log_shadow_version_id_task",
        "prediction_log",
        ["shadow_version_id", "task", "cutoff_at"],
    )
    op.create_index(
        "ix_prediction_log_model_version_id_task",
        "prediction_log",
        ["model_version_id", "task", "cutoff_at"],
    )
    op.create_index("ix_prediction_log_dataset_id", "prediction_log", ["dataset_id"])
    op.create_index("ix_prediction_log_created_at", "prediction_log", ["created_at"])


def downgrade() -> None:
    op.drop_table("prediction_log")

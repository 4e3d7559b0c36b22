"""Datasets count what predictions look at.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    changes = sa.Column("changes", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("dataset", changes)


def downgrade() -> None:
    op.drop_column("dataset", "changes")

"""Leases: which server may act on a store that several can reach."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import INT64

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("epoch", INT64, nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("instance", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("boot", sa.String(), nullable=False),
        sa.Column("pid", INT64, nullable=False),
        sa.Column("started", INT64, nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )

"""What was counted on each day."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import INT64

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "counts_by_day",
        sa.Column("account", INT64, nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"]),
        sa.PrimaryKeyConstraint("account", "day", "sku"),
    )

"""What is free of a month and what more of it costs: prices with tiers, and what counts together in them."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("meters", sa.Column("price_tiers", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "tallies",
        sa.Column("tally", sa.String(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("used", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("tally", "month"),
    )

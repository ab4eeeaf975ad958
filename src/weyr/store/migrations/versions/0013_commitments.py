"""What commitments said and when, what was used by the hour of what they cover, and how far that was read."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import INT64, words

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "commitments",
        sa.Column("id", INT64, primary_key=True),
        sa.Column("account", INT64, nullable=False),
        sa.Column("coverage", sa.Text(), nullable=False),
        sa.Column("fee_micros_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("covered_micros_per_hour", sa.BigInteger(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger()),
    )
    op.create_table(
        "hour_uses",
        sa.Column("hour_ms", sa.BigInteger(), primary_key=True),
        sa.Column("account", INT64, primary_key=True),
        sa.Column("part", words(200), primary_key=True),
        sa.Column("sku", words(60), primary_key=True),
        sa.Column("book", words(200), primary_key=True),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("meter", INT64, nullable=False),
    )
    op.create_table(
        "covering",
        sa.Column("id", INT64, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=False),
    )

"""Meters that follow a counter: how far it was when it was read last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("meters", sa.Column("counted", sa.BigInteger, nullable=False, server_default="0"))

"""The engine that a stack's tasks run on."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("stacks", sa.Column("on_json", sa.Text, nullable=False, server_default="{}"))

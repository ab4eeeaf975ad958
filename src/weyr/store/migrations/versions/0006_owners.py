"""Who brought each object up: shares of a queue are between people."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("objects", sa.Column("owner", sa.Text(), nullable=False, server_default=sa.text("''")))

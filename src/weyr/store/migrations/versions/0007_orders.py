"""What somebody told an object to do by hand last, such as to take a new version back."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("objects", sa.Column("ordered", sa.Text()))

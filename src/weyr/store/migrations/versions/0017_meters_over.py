"""What each thing came to that is over, in the order of bills by thing."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

IS_OVER = sa.text("closed_ms IS NOT NULL AND lines > 0")


def upgrade() -> None:
    columns = ["account", "part", "posted_micros"]
    op.create_index("meters_over", "meters", columns, sqlite_where=IS_OVER, postgresql_where=IS_OVER)

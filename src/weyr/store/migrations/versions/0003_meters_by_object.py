"""Meters by object: finding those of one object went through all of its stack."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("meters_by_object", "meters", ["stack", "kind", "name", "closed_ms"])

"""Whether what is set aside for a thing is all that it is to cost."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # What was set aside before this was of attempts, which end.
    op.add_column("meters", sa.Column("reserved_ends", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE meters SET reserved_ends = (reserved_micros > 0)")

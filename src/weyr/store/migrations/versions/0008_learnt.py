"""What scaling has learnt of arrivals, so that a server that was restarted goes on from it."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import words

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "learnt",
        sa.Column("name", words(200), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
    )

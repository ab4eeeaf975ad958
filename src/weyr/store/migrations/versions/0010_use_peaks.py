"""What objects asked for and the most that they were seen to use of it: whoever asks for too much is told."""

import sqlalchemy as sa
from alembic import op

from weyr.store.dialects import words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    numbers = [
        sa.Column(name, sa.BigInteger, nullable=False) for name in ("asked", "peak", "ran_ms", "last_ms", "busy_ms")
    ]
    keys = [sa.Column(name, words(40), primary_key=True) for name in ("stack", "kind", "name", "sku")]
    op.create_table("use_peaks", *keys, *numbers)

"""What a version's files were when it was registered: others are never served as that version."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    column = sa.Column("seal", sa.Text(), nullable=False, server_default=sa.text("''"))
    op.add_column("tracking_model_versions", column)

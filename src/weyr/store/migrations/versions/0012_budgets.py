"""What an object's spending counts under, what is set aside for a thing, and who is of which team."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("objects", sa.Column("labels", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("meters", sa.Column("reserved_micros", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "team_members",
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("member"),
    )

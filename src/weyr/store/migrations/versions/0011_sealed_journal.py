"""A journal in one chain, sums by account and SKU, entries that somebody posts, and periods that close."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from weyr.store.chain import FIRST, sealed
from weyr.store.dialects import INT64, words

revision = "0011"
down_revision = "0010"

BATCH = 5_000
COLUMNS = (
    "meter", "number", "stack", "kind", "name", "part", "sku", "from_ms", "to_ms", "used", "micros", "debit", "credit",
    "day",
)  # fmt: skip


def upgrade() -> None:
    _accounts()
    _journal()
    _spending()
    op.create_table(
        "entries",
        sa.Column("id", words(200), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "periods",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("last_day", sa.String(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", INT64, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("stack", "kind", "name")),
        sa.Column("labels", sa.Text(), nullable=False),
    )
    op.create_index("accounts_by_object", "accounts", ["stack", "kind", "name", "labels"], unique=True)
    op.execute(
        "INSERT INTO accounts (stack, kind, name, labels) "
        "SELECT stack, kind, name, '{}' FROM meters GROUP BY stack, kind, name"
    )
    op.add_column("meters", sa.Column("account", INT64, nullable=False, server_default="0"))
    op.add_column("meters", sa.Column("source", INT64))
    op.create_index("meters_by_source", "meters", ["source", "closed_ms"])
    op.execute(
        "UPDATE meters SET account = (SELECT id FROM accounts "
        "WHERE accounts.stack = meters.stack AND accounts.kind = meters.kind AND accounts.name = meters.name)"
    )


def _journal() -> None:
    """A table cannot change its primary key: the lines are copied, and chained in the order of what they tell of."""
    op.drop_index("journal_by_stack_and_day", "journal")
    texts = ("stack", "kind", "name", "part", "sku")
    table = op.create_table(
        "journal_chained",
        sa.Column("seq", INT64, primary_key=True, autoincrement=False),
        sa.Column("meter", INT64, sa.ForeignKey("meters.id"), nullable=False),
        sa.Column("number", INT64, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_ms", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.String(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("debit", "credit", "day", "entry")),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("micros >= 0", name="journal_micros_are_positive"),
        sa.CheckConstraint("debit <> credit", name="journal_has_two_accounts"),
    )
    _copy(table)
    op.drop_table("journal")
    op.rename_table("journal_chained", "journal")
    op.create_index("journal_by_meter", "journal", ["meter", "number"], unique=True)
    op.create_index("journal_by_stack_and_day", "journal", ["stack", "day"])


def _copy(table: sa.Table) -> None:
    connection, seq, previous = op.get_bind(), 0, FIRST
    lines = f"SELECT {', '.join(COLUMNS)} FROM journal ORDER BY to_ms, meter, number"
    found = connection.execute(sa.text(lines))
    while rows := found.fetchmany(BATCH):
        told: list[dict[str, Any]] = [{**row._mapping, "entry": "", "note": "", "who": ""} for row in rows]
        chained = list(sealed(told, seq, previous))
        seq, previous = chained[-1]["seq"], chained[-1]["hash"]
        connection.execute(table.insert(), chained)


def _spending() -> None:
    op.drop_table("spending")
    op.create_table(
        "spending",
        sa.Column("account", INT64, sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("day", sa.String(), primary_key=True),
        sa.Column("sku", sa.String(), primary_key=True),
        sa.Column("micros", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO spending SELECT meters.account, journal.day, journal.sku, "
        "sum(CASE WHEN debit LIKE 'expense:%' THEN micros ELSE -micros END) "
        "FROM journal JOIN meters ON meters.id = journal.meter GROUP BY meters.account, journal.day, journal.sku"
    )

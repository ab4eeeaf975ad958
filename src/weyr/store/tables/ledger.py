"""The ledger's tables: accounts, open and closed meters, the journal, which only grows, and its sums by day."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    text,
)

from weyr.store.database import metadata
from weyr.store.dialects import INT64, words

accounts = Table(
    "accounts",
    metadata,
    # Whom costs count for: an object with the labels that it had when it came up, as JSON with its keys in order.
    Column("id", INT64, primary_key=True),
    Column("stack", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("labels", Text, nullable=False),
)

Index("accounts_by_object", accounts.c.stack, accounts.c.kind, accounts.c.name, accounts.c.labels, unique=True)

meters = Table(
    "meters",
    metadata,
    Column("id", INT64, primary_key=True),
    Column("stack", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("part", String, nullable=False),
    Column("sku", String, nullable=False),
    Column("book", String, nullable=False),
    Column("price_micros", BigInteger),
    Column("price_per_quantity", BigInteger),
    Column("price_per_s", BigInteger),
    # What is free of a month, and what more of it costs, as JSON; "" where the price is the same throughout.
    Column("price_tiers", Text, nullable=False, server_default=text("''")),
    Column("opened_ms", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("run_since_ms", BigInteger),
    Column("run_from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
    # A terabyte for a month is 3e21 byte-milliseconds, more than any integer column holds: decimal text.
    Column("settled", String, nullable=False),
    Column("posted", String, nullable=False),
    Column("posted_micros", BigInteger, nullable=False),
    Column("posted_until_ms", BigInteger, nullable=False),
    Column("lines", INT64, nullable=False),
    Column("counted", BigInteger, nullable=False, server_default="0"),
    Column("closed_ms", BigInteger),
    Column("account", INT64, nullable=False, server_default="0"),
    # The account whose cost it is a share of.
    Column("source", INT64),
    # What is kept free for its thing in budgets, beyond what that has cost so far, until it has ended.
    Column("reserved_micros", BigInteger, nullable=False, server_default="0"),
    # Whether its thing ends by itself, and that is all that it is to cost.
    Column("reserved_ends", Boolean, nullable=False, server_default=false()),
)

Index("meters_by_stack", meters.c.stack, meters.c.closed_ms)
Index("meters_by_object", meters.c.stack, meters.c.kind, meters.c.name, meters.c.closed_ms)
Index("meters_by_source", meters.c.source, meters.c.closed_ms)
Index(
    "meters_one_open",
    meters.c.stack,
    meters.c.kind,
    meters.c.name,
    meters.c.part,
    meters.c.sku,
    unique=True,
    sqlite_where=text("closed_ms IS NULL"),
    postgresql_where=text("closed_ms IS NULL"),
)

_IS_OVER = text("closed_ms IS NOT NULL AND lines > 0")
# What each thing came to that is over, for bills by thing: a closed meter never changes, so that it enters here once,
# and half a million of them are read in order without a look at their rows.
Index(
    "meters_over",
    meters.c.account,
    meters.c.part,
    meters.c.posted_micros,
    sqlite_where=_IS_OVER,
    postgresql_where=_IS_OVER,
)

journal = Table(
    "journal",
    metadata,
    Column("seq", INT64, primary_key=True, autoincrement=False),
    Column("meter", INT64, ForeignKey("meters.id"), nullable=False),
    Column("number", INT64, nullable=False),
    Column("stack", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("part", String, nullable=False),
    Column("sku", String, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("used", String, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("debit", String, nullable=False),
    Column("credit", String, nullable=False),
    Column("day", String, nullable=False),
    Column("entry", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("who", String, nullable=False),
    # SHA-256 of the line and of the hash before it: `weyr.store.chain`.
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("micros >= 0", name="journal_micros_are_positive"),
    CheckConstraint("debit <> credit", name="journal_has_two_accounts"),
)

Index("journal_by_meter", journal.c.meter, journal.c.number, unique=True)
Index("journal_by_stack_and_day", journal.c.stack, journal.c.day)

spending = Table(
    "spending",
    metadata,
    # The journal's sum for one account, day and SKU, kept with each line: a bill of a year reads some thousand
    # rows, where the journal has half a million for each meter.
    Column("account", INT64, ForeignKey("accounts.id"), primary_key=True),
    Column("day", String, primary_key=True),
    Column("sku", String, primary_key=True),
    Column("micros", BigInteger, nullable=False),
)

tallies = Table(
    "tallies",
    metadata,
    # What the journal's lines of one UTC month have used of what a tiered price counts together, kept with each line.
    Column("tally", String, primary_key=True),
    Column("month", String, primary_key=True),
    # Quantity x milliseconds, as decimal text: see `meters`.
    Column("used", String, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    # What was posted by somebody, once under each id. `digest` is of all that was asked for.
    Column("id", words(200), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

periods = Table(
    "periods",
    metadata,
    # A closed month, and where the journal stood then.
    Column("name", String, primary_key=True),
    Column("last_day", String, nullable=False),
    Column("closed_ms", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

"""The tables of commitments: what they said and when, what was used by the hour, and how far the journal was read."""

from sqlalchemy import BigInteger, Column, Table, Text

from weyr.store.database import metadata
from weyr.store.dialects import INT64, words

commitments = Table(
    "commitments",
    metadata,
    # One row for each version of a commitment: what it said from one moment until another.
    Column("id", INT64, primary_key=True),
    # Whose its fee is.
    Column("account", INT64, nullable=False),
    Column("coverage", Text, nullable=False),
    Column("fee_micros_per_hour", BigInteger, nullable=False),
    Column("covered_micros_per_hour", BigInteger, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger),
)

hour_uses = Table(
    "hour_uses",
    metadata,
    # What the journal's lines of one account, part, SKU and book come to in an hour, of what a commitment may cover.
    Column("hour_ms", BigInteger, primary_key=True),
    Column("account", INT64, primary_key=True),
    Column("part", words(200), primary_key=True),
    Column("sku", words(60), primary_key=True),
    Column("book", words(200), primary_key=True),
    Column("micros", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    # One that counted some of it: it knows the price.
    Column("meter", INT64, nullable=False),
)

covering = Table(
    "covering",
    metadata,
    # One row: the last line of the journal that was read, and until when each hour is settled.
    Column("id", INT64, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("settled_ms", BigInteger, nullable=False),
)

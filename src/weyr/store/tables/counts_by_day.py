"""The table of what was counted on each day: requests, tokens, bytes that left, whatever they cost."""

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table

from weyr.store.database import metadata
from weyr.store.dialects import INT64

counts_by_day = Table(
    "counts_by_day",
    metadata,
    Column("account", INT64, ForeignKey("accounts.id"), primary_key=True),
    Column("day", String, primary_key=True),
    Column("sku", String, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

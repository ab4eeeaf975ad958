"""The table of measured use: what an object asked for and the most that it was seen to use of it."""

from sqlalchemy import BigInteger, Column, Table

from weyr.store.database import metadata
from weyr.store.dialects import words

use_peaks = Table(
    "use_peaks",
    metadata,
    Column("stack", words(40), primary_key=True),
    Column("kind", words(40), primary_key=True),
    Column("name", words(40), primary_key=True),
    Column("sku", words(40), primary_key=True),
    Column("asked", BigInteger, nullable=False),
    Column("peak", BigInteger, nullable=False),
    Column("ran_ms", BigInteger, nullable=False),  # the longest that one task was watched
    Column("last_ms", BigInteger, nullable=False),
    Column("busy_ms", BigInteger, nullable=False),  # when it was last seen to do anything; 0: never
)

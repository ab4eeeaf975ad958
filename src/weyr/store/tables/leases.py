"""The table of leases: who may act on this store, and until when by the database's clock.

A server on SQLite needs none: the data folder's lock is its lease.
"""

from sqlalchemy import Column, Float, String, Table

from weyr.store.database import metadata
from weyr.store.dialects import INT64

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    # One more each time that the lease changes hands: what an older holder still sends is known by it.
    Column("epoch", INT64, nullable=False),
    Column("expires_at", Float, nullable=False),
    # Whose sessions are whose; empty: nobody's, given back.
    Column("instance", String, nullable=False),
    Column("host", String, nullable=False),
    # With these three a server on the same machine is one process for ever.
    Column("boot", String, nullable=False),
    Column("pid", INT64, nullable=False),
    Column("started", INT64, nullable=False),
    # The data folder that the store belongs to, by the id in it.
    Column("folder", String, nullable=False),
)

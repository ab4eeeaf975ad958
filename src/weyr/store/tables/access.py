"""The tables of access: who may call, and what is secret. Nothing here can be used by who reads it.

Tokens are hashes; the S3 secrets and the secrets' values are sealed by a key that is not in the database.
"""

from sqlalchemy import Column, Float, Integer, LargeBinary, String, Table

from weyr.store.database import metadata

credentials = Table(
    "credentials",
    metadata,
    Column("principal", String, primary_key=True),
    Column("grants", String, nullable=False),
    Column("token_sha256", String, nullable=False, unique=True),
    Column("access_key_id", String, nullable=False, unique=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    Column("issued_at", Float, nullable=False),
)

credentials_generation = Table(
    "credentials_generation",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("generation", Integer, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("stack", String, primary_key=True),
    Column("name", String, primary_key=True),
    # Versions go on counting after a deletion: an old sealed value never fits a new row.
    Column("version", Integer, nullable=False),
    # Which generation of the stack's wish holds it; 0: somebody set it and no stack asked for it yet.
    Column("generation", Integer, nullable=False),
    Column("sealed", LargeBinary),
)

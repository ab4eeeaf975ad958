"""The tables of access: who may call, and what is secret. Nothing here can be used by who reads it.

Tokens are hashes; the S3 secrets and the secrets' values are sealed by a key that is not in the database.
"""

from sqlalchemy import Column, Float, LargeBinary, String, Table

from weyr.store.database import metadata
from weyr.store.dialects import INT64

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
    Column("one", INT64, primary_key=True),
    Column("generation", INT64, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("stack", String, primary_key=True),
    Column("name", String, primary_key=True),
    # Versions go on counting after a deletion: an old sealed value never fits a new row.
    Column("version", INT64, nullable=False),
    # Which generation of the stack's wish holds it; 0: somebody set it and no stack asked for it yet.
    Column("generation", INT64, nullable=False),
    Column("sealed", LargeBinary),
)

team_members = Table(
    "team_members",
    metadata,
    Column("member", String, primary_key=True),
    Column("team", String, nullable=False),
)

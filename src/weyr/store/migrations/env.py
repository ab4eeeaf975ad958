"""Alembic's entry: takes the connection and the transaction that `weyr.store.migrate` opened."""

from alembic import context

import weyr.store.tables  # noqa: F401 - declares every table on the metadata
from weyr.store.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False)
context.run_migrations()

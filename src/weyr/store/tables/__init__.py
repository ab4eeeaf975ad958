"""Every table of Weyr, one module per owner. Importing this package declares them all."""

from weyr.store.tables import access, kernel, ledger, tracking

__all__ = ["access", "kernel", "ledger", "tracking"]

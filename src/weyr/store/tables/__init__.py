"""Every table of Weyr, one module per owner. Importing this package declares them all."""

from weyr.store.tables import access, commitments, counts_by_day, kernel, leases, ledger, tracking, use_peaks

__all__ = ["access", "commitments", "counts_by_day", "kernel", "leases", "ledger", "tracking", "use_peaks"]

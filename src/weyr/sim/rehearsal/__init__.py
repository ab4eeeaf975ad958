"""A stack's week before it happens: its real kinds, scheduling and ledger over arrivals, in virtual time."""

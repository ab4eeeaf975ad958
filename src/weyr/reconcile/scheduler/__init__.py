"""The production scheduler: who runs where, and who waits for what. See `scheduler.Scheduler`."""

from weyr.reconcile.scheduler.scheduler import Room, Scheduler

__all__ = ["Room", "Scheduler"]

"""In one word, how is an object? A module of its own: the command line shows it and needs nothing else of core."""

from enum import StrEnum


class Phase(StrEnum):
    """The one word that people see. It is derived from conditions and never stored as truth."""

    WAITING = "waiting"
    WORKING = "working"
    READY = "ready"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    HELD = "held"
    UNKNOWN = "unknown"
    REMOVING = "removing"

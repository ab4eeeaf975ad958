"""What does a caller wish of the plane itself? How long it may take, and how urgent it is."""

import math

from weyr.core.api_keys import PRIORITIES

_PRIORITIES = {name.encode(): value for name, value in PRIORITIES.items()}


def timeout_of(text: bytes) -> float:
    """Seconds, as in `2.5`, `2.5s` or `2500ms`; what cannot be understood bounds nothing."""
    text = text.strip().lower()
    per = 1.0
    if text.endswith(b"ms"):
        text, per = text[:-2], 0.001
    elif text.endswith(b"s"):
        text = text[:-1]
    try:
        seconds = float(text) * per
    except ValueError:
        return math.inf
    return seconds if 0.0 <= seconds < math.inf else math.inf


def priority_of(text: bytes) -> int:
    """A word that is none counts as the usual one."""
    return _PRIORITIES.get(text.strip().lower(), PRIORITIES["normal"])

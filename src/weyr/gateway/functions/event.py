"""What is one event on its way to a function? Plain values, the same whether it waits on the disk or not."""

import hashlib
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LETTER = "letter"
"""The trigger of an event that an instance does not call its function with: it leaves it in a bucket."""


class State(StrEnum):
    """WAITING: for its time, or its next attempt. DEAD: all its attempts failed."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Event:
    """`request` is what HTTP said beside the body. `attempt` counts those that were begun; `due_at` is Unix seconds."""

    id: str
    function: str
    trigger: str
    body: bytes
    content_type: str = "application/json"
    request: dict[str, Any] = field(default_factory=dict)
    accepted_at: float = 0.0
    due_at: float = 0.0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: an answer, or an error with its message. `status` is HTTP's."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    message: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.error


def new_id() -> str:
    """A name that no other event has."""
    return uuid.uuid4().hex


def id_of(function: str, *words: object) -> str:
    """The name of an event that somebody may tell of twice: the same words are the same event."""
    text = "\0".join((function, *map(str, words)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]

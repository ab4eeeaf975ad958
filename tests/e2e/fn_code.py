"""Functions for tests. What they did is in files of the folder they run in: a log may be read too early."""

import os
from pathlib import Path
from threading import Event
from typing import Any


def note(name: str, text: str) -> None:
    with Path(name).open("a") as file:
        file.write(f"{text}\n")


def echo(event: Any, context: Any) -> Any:
    """Gives the event back, with what is known of it."""
    print("echo of", type(event).__name__)
    text = event.decode() if isinstance(event, bytes) else event
    return {"event": text, "attempt": context.attempt, "path": context.request.path, "pid": os.getpid(),
            "query": context.request.query, "method": context.request.method, "left": context.remaining_s}  # fmt: skip


def moody(event: dict[str, Any], context: Any) -> Any:
    """Does what the event says: fails, dies, sleeps, or gives back so many bytes."""
    note("moody", f"{event.get('id', '')} {context.attempt}")
    if context.attempt <= event.get("fails", 0):
        raise RuntimeError("not today")
    if context.attempt <= event.get("dies", 0):
        os._exit(9)
    Event().wait(event.get("sleeps", 0))
    return {"statusCode": 201, "headers": {"X-Mood": "good"}, "body": "x" * event.get("bytes", 2)}


def letter(event: dict[str, Any]) -> None:
    note("letters", f"{event['function']} {event['attempts']} {event['error']} {event['event']}")


def tick(event: Any, context: Any) -> None:
    note("ticks", f"{event} {context.trigger} {context.request_id}")

"""Who is told of an event that could not be run? Another function, a bucket, both, or nobody."""

import json

from weyr.gateway.functions.event import LETTER, Event, Outcome, id_of
from weyr.gateway.functions.settings import Setting


def letters_of(setting: Setting, event: Event, outcome: Outcome, now: float) -> list[Event]:
    """The events that tell of it. One for a bucket is the function's own: its instances reach buckets, we do not."""
    said = {
        "function": event.function, "id": event.id, "trigger": event.trigger, "attempts": event.attempt,
        "error": outcome.error, "message": outcome.message, "accepted_at": event.accepted_at, "dead_at": now,
        "content_type": event.content_type, "event": event.body.decode(errors="replace"),
    }  # fmt: skip
    text, body = json.dumps(said).encode(), setting.body
    letters = []
    if body.dead_to:
        id = id_of(body.dead_to, "dead", event.id)
        letters.append(Event(id, body.dead_to, "dead letter", text, accepted_at=now, due_at=now))
    if body.letters_bucket:
        # Named by the event: a letter that is written twice is the same object.
        place = {"bucket": body.letters_bucket, "key": f"{body.letters_prefix}{event.id}.json"}
        id = id_of(event.function, LETTER, event.id)
        letters.append(Event(id, event.function, LETTER, text, request=place, accepted_at=now, due_at=now))
    return letters

"""Which function is an object's event for? What the S3 plane tells, read into events that are the same told twice."""

import json
import time
from collections.abc import Iterator
from urllib.parse import unquote_plus

from weyr.gateway.functions.event import Event, id_of


def events_of(body: bytes) -> Iterator[Event]:
    """The events in what the S3 plane tells, each for the function that its entry names. Raises: ValueError, KeyError,
    TypeError for what is no such document."""
    for record in json.loads(body)["Records"]:
        s3 = record["s3"]
        name, now = str(s3["configurationId"]), time.time()
        key = s3["object"]
        words = s3["bucket"]["name"], key["key"], *(key.get(word, "") for word in ("versionId", "sequencer", "eTag"))
        id = id_of(name, "object", record["eventName"], *words)
        request = {"path": "/" + unquote_plus(key["key"])}
        text = json.dumps({"Records": [record]}).encode()
        yield Event(id, name, "object", text, request=request, accepted_at=now, due_at=now)

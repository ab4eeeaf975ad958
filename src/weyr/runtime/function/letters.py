"""How does a letter come into a bucket? With the function's own keys, as everything that it writes."""

import os
from typing import Any

from weyr.runtime.function.calls import Answer

LETTER = "letter"
"""The trigger of an event that the function is not called with."""


def left(place: dict[str, Any], body: bytes) -> Answer:
    """Writes the letter to its `bucket` under its `key`; what goes wrong is an error to be tried again."""
    import obstore

    from weyr.runtime.checkpoint_agent import open_store

    try:
        obstore.put(open_store(str(place["bucket"]), os.environ), str(place["key"]), body)
    except Exception as e:  # noqa: BLE001 - whatever a store answers, another attempt follows
        return {"error": type(e).__name__, "message": f"the letter could not be left in {place['bucket']}: {e}"}, b""
    return {"status": 200, "headers": {}}, b""

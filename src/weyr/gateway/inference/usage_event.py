"""What does a caller get of a stream's usage that the plane asked for, and he did not? Nothing that he reads. Pure.

A server elsewhere tells what a stream cost in a last event without choices, and callers that never asked for one take
the first of its choices. So the event becomes a comment, which clients of server-sent events pass over: the bytes stay
as many as they were, whatever frames them, and the usage can still be read where it is counted.
"""

import json
import re

HELD_MAX = 64 * 2**10
"""The longest beginning of an event that waits for its end."""
_EVENT = re.compile(rb'^data:(?= ?\{[^\n]*"choices"\s*:\s*\[\s*\][^\n]*\n)', re.MULTILINE)
_COMMENT = b":    "


class UsageEvents:
    """One answer as it passes."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What of the answer passes on now."""
        data, self._held = self._held + data, b""
        begins = data.rfind(b"\n") + 1
        tail = data[begins:]
        is_begun = tail.startswith(b"data:") or b"data:".startswith(tail)
        if tail and is_begun and not tail.startswith(b"data: [") and len(tail) < HELD_MAX:
            data, self._held = data[:begins], tail
        return _EVENT.sub(_COMMENT, data)

    def rest(self) -> bytes:
        """What was held back, where nothing follows any more."""
        held, self._held = self._held, b""
        return held


def is_unasked(body: bytes) -> bool:
    """Whether a request streams and does not want its usage."""
    try:
        asked = json.loads(body)
    except ValueError:
        return False
    if not isinstance(asked, dict) or asked.get("stream") is not True:
        return False
    options = asked.get("stream_options")
    return not (isinstance(options, dict) and options.get("include_usage"))

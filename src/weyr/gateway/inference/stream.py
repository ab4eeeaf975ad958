"""How fast do tokens come, and how many were they? Read from a language model's answer while its bytes pass.

Nothing is parsed and nothing is kept but the last two pieces: events of a stream are counted by how their lines begin,
and the usage, which servers write last, is looked for once, at the end.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weyr.gateway.inference.measure import Measure

TAIL_MAX = 4096
"""How much of the end is searched: usage and what some servers write after it."""

_PROMPT = re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*(\d{1,12})')
_GENERATED = re.compile(rb'"(?:completion|output)_tokens"\s*:\s*(\d{1,12})')
_DONE = b"data: [DONE]"


class Stream:
    """The answer of one request as it passes. A streamed one has events, one that comes whole has only its usage."""

    __slots__ = ("_before", "_began_at", "_first", "_last", "_last_at", "_measure", "events", "first_at", "is_events")

    def __init__(self, measure: "Measure", began_at: float, is_events: bool) -> None:
        self._measure = measure
        self._began_at = began_at
        self.is_events = is_events
        self.events = 0
        self.first_at = self._last_at = 0.0
        self._first = self._before = self._last = b""

    def passed(self, data: bytes, now: float) -> None:
        """A piece went to the caller."""
        self._before, self._last = self._last, data
        if not self.is_events:
            return
        # Text inside JSON has no line ends, so only an event's own line begins like this.
        count = data.count(b"\ndata:") + data.startswith(b"data:")
        if not count:
            return
        if self.events:
            self._measure.inter_token.add((now - self._last_at) / count, count)
        else:
            self.first_at, self._first = now, data
            self._measure.first_token.add(now - self._began_at)
        self.events += count
        self._last_at = now

    def tokens(self) -> tuple[int, int]:
        """Tokens of the question and of the answer, once it is over.

        Those of the usage; a stream without one counts its events, which are a token each as most servers send them.
        """
        tail = (self._before + self._last)[-TAIL_MAX:]
        prompt = _last(_PROMPT, tail) or _last(_PROMPT, self._first[:TAIL_MAX])
        generated = _last(_GENERATED, tail)
        if generated is None:
            generated = max(0, self.events - (_DONE in tail))
        return prompt or 0, generated


def _last(pattern: "re.Pattern[bytes]", text: bytes) -> int | None:
    found = pattern.findall(text)
    return int(found[-1]) if found else None

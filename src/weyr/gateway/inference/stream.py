"""How fast do tokens come, and how many were they? Read from a language model's answer while its bytes pass.

Nothing is parsed and nothing is kept but the last two pieces: events of a stream are counted by how their lines begin,
and the usage, which servers write last, is looked for once, at the end. In the words of OpenAI or Anthropic.
"""

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weyr.gateway.inference.measure import Measure

TAIL_MAX = 4096
"""How much of the end is searched: usage and what some servers write after it."""
BYTES_PER_TOKEN = 4
"""The rule of thumb for English text."""

_WORD = b'_tokens"'
_PROMPT = re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*(\d{1,12})')
_GENERATED = re.compile(rb'"(?:completion|output)_tokens"\s*:\s*(\d{1,12})')
_DONE = b"data: [DONE]"


class Stream:
    """The answer of one request as it passes, its head included. A streamed one has events, one that comes whole has
    only its usage. `is_chunked`: how its body is framed; `head_bytes`: how long its head is."""

    __slots__ = ("_before", "_began_at", "_bytes", "_first", "_last", "_last_at", "_measure", "_usage", "events",
                 "first_at", "is_chunked", "is_events")  # fmt: skip

    def __init__(
        self, measure: "Measure", began_at: float, is_events: bool, is_chunked: bool = False, head_bytes: int = 0
    ) -> None:
        self._measure = measure
        self._began_at = began_at
        self.is_events = is_events
        self.is_chunked = is_chunked
        self.events = 0
        self.first_at = self._last_at = 0.0
        self._bytes = -head_bytes
        self._first = self._before = self._last = b""
        self._usage: tuple[int | None, int | None] | None = None
        """What was found in it, once it was looked for."""

    def passed(self, data: bytes, now: float) -> None:
        """A piece went to the caller."""
        self._before, self._last = self._last, data
        if not self.is_events:
            self._bytes += len(data)
            return
        # Text inside JSON has no line ends, so only an event's own line begins like this.
        count = data.count(b"\ndata:")
        if data.startswith(b"data:"):
            count += 1
        if not count:
            return
        if self.events:
            gap_s, between = (now - self._last_at) / count, self._measure.inter_token
            between.counts[bisect_left(between.bounds, gap_s)] += count
            between.sum_s += now - self._last_at
        else:
            self.first_at, self._first = now, data
            self._measure.first_token.add(now - self._began_at)
        self.events += count
        self._last_at = now

    def tokens(self) -> tuple[int, int]:
        """Tokens of the question and of the answer, once it is over.

        Those of the usage; a stream without one counts its events, which are a token each as most servers send them.
        """
        prompt, generated = self._usage or self._said()
        return prompt or 0, self._told() if generated is None else generated

    def used(self, prompt_guess: int) -> tuple[int, int]:
        """The same, with a guess by length where an answer says nothing."""
        prompt, generated = self._usage or self._said()
        if generated is None:
            # Where only the prompt is told, as of embeddings, there is nothing else.
            is_whole = not self.is_events and prompt is None
            generated = self._bytes // BYTES_PER_TOKEN if is_whole and self._bytes > 0 else self._told()
        return prompt or prompt_guess, generated

    def _said(self) -> tuple[int | None, int | None]:
        tail = (self._before + self._last)[-TAIL_MAX:]
        # Anthropic's events tell the prompt's at the beginning.
        early = self._first[:TAIL_MAX]
        if _WORD in tail or _WORD in early:
            self._usage = _last(_PROMPT, tail) or _last(_PROMPT, early), _last(_GENERATED, tail)
        else:
            self._usage = None, None
        return self._usage

    def _told(self) -> int:
        return self.events - (_DONE in self._before or _DONE in self._last) if self.events else 0


def _last(pattern: "re.Pattern[bytes]", text: bytes) -> int | None:
    found = pattern.findall(text)
    return int(found[-1]) if found else None

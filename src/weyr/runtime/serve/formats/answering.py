"""When is a made text's piece ready to be sent, and where does the text end? Pure: tokens in, pieces out.

A token may end in the middle of a character, and what it adds may be the beginning of a text that is to stop the
answer: both are held back until it is clear. Nothing else is.
"""

from collections.abc import Callable, Iterator

from weyr.runtime.serve.language import Finish, Piece

INCOMPLETE = "\ufffd"
"""What a decoder writes for a character that has not all of its bytes yet."""

CHARACTER_TOKENS_MAX = 8
"""After so many tokens it is no character that is incomplete, but a model that makes none."""


def pieces_of(
    tokens: Iterator[int], decode: Callable[[list[int]], str], ends: frozenset[int], stops: tuple[str, ...], most: int
) -> Iterator[Piece]:
    """The answer that the tokens make, at most `most` of them.

    Takes: `tokens`, which never end by themselves; each `next` computes one. `ends`, the tokens that end an answer.
    """
    written = _Written(decode)
    held, held_tokens = "", 0
    for count, token in enumerate(tokens, 1):
        if token in ends:
            yield Piece(held + written.rest(), held_tokens + 1, Finish.STOP)
            return
        held += written.added(token)
        held_tokens += 1
        at, stop = min(((found, stop) for stop in stops if (found := held.find(stop)) >= 0), default=(-1, ""))
        if at >= 0:
            yield Piece(held[:at], held_tokens, Finish.STOP, stop)
            return
        if count >= most:
            yield Piece(held + written.rest(), held_tokens, Finish.LENGTH)
            return
        ready = len(held) - _begun(held, stops)
        yield Piece(held[:ready], held_tokens)
        held, held_tokens = held[ready:], 0


def _begun(text: str, stops: tuple[str, ...]) -> int:
    """How many of the last characters may be the beginning of a stop."""
    longest = max((len(stop) for stop in stops), default=1) - 1
    sizes = range(min(longest, len(text)), 0, -1)
    return next((size for size in sizes if any(stop.startswith(text[-size:]) for stop in stops)), 0)


class _Written:
    """What has been decoded. A token's text depends on the one before it, so a few are decoded again each time."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._before: list[int] = []
        self._new: list[int] = []

    def added(self, token: int) -> str:
        """The text that is now complete; "" while a character is not."""
        self._new.append(token)
        text = self._text()
        if text.endswith(INCOMPLETE) and len(self._new) < CHARACTER_TOKENS_MAX:
            return ""
        # A token without a text, as special ones are, does not tell how the next is to be written.
        self._before, self._new = (self._new if text else self._before + self._new), []
        return text

    def rest(self) -> str:
        """What is still held back at the end, as it is."""
        return self._text() if self._new else ""

    def _text(self) -> str:
        return self._decode(self._before + self._new)[len(self._decode(self._before)) :]

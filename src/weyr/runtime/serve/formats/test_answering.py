"""Is a stream the text that the tokens make, cut where it should be?"""

from itertools import chain, repeat

from hypothesis import given
from hypothesis import strategies as st

from weyr.runtime.serve.formats.answering import pieces_of
from weyr.runtime.serve.language import Finish, Piece

END = 256


def decode(tokens: list[int]) -> str:
    """One token for each byte, as the smallest vocabulary has it."""
    return bytes(tokens).decode("utf-8", "replace")


def streamed(text: str, stops: tuple[str, ...] = (), most: int = 10_000) -> list[Piece]:
    tokens = chain(text.encode(), repeat(END))
    return list(pieces_of(iter(tokens), decode, frozenset({END}), stops, most))


@given(st.text())
def test_the_pieces_are_the_text(text: str) -> None:
    """Whatever characters are in it, and none of them in halves."""
    pieces = streamed(text)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.finish for piece in pieces] == [None] * (len(pieces) - 1) + [Finish.STOP]
    assert sum(piece.tokens for piece in pieces) == len(text.encode()) + 1


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3))
def test_the_text_ends_before_the_first_stop(text: str, stops: list[str]) -> None:
    """Nothing of a stop is ever sent, also where it comes in several pieces."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    sent = "".join(piece.text for piece in streamed(text, tuple(stops)))
    if not found:
        assert sent == text
    else:
        # The first stop to be complete ends the text; where two end at once, the one that began first.
        ends = {stop: text.find(stop) + len(stop) for stop in stops if stop in text}
        first = min(ends.values())
        assert sent == text[: min(text.find(stop) for stop, end in ends.items() if end == first)]


def test_a_text_as_long_as_was_asked_for_ends_by_its_length() -> None:
    """The caller can tell that the model had more to say."""
    pieces = streamed("hello", most=3)
    assert "".join(piece.text for piece in pieces) == "hel"
    assert pieces[-1].finish is Finish.LENGTH


def test_only_what_may_become_a_stop_is_held_back() -> None:
    """A reader sees each word as it is made."""
    assert [piece.text for piece in streamed("a\nb\n\nc", ("\n\n",))] == ["a", "", "\nb", "", ""]


def test_a_token_without_a_text_does_not_join_two_words() -> None:
    """Decoders put a space between words, and forget it after a special token that they leave out."""
    words = {0: "", 1: "one", 2: "two"}

    def spaced(tokens: list[int]) -> str:
        return " ".join(words[token] for token in tokens if words[token])

    pieces = pieces_of(iter([1, 0, 2, END]), spaced, frozenset({END}), (), 10)
    assert "".join(piece.text for piece in pieces) == "one two"

"""The chain's hashes, one at a time and many at once."""

from hypothesis import given
from hypothesis import strategies as st

from weyr.store.chain import FIRST, SEALED, seal, seals

TEXTS = st.text(st.sampled_from('],["\\ \n\u00e9\u2028a1'), max_size=8)
LINES = st.lists(st.tuples(*(TEXTS if n % 3 else st.integers(-(2**63), 2**63) for n in range(len(SEALED)))), max_size=5)


@given(LINES)
def test_many_lines_at_once_are_sealed_as_each_by_itself(lines: list[tuple[str | int, ...]]) -> None:
    """A proof that read the lines otherwise than they were posted would call an honest journal changed."""
    wanted, previous = [], FIRST
    for line in lines:
        previous = seal(previous, dict(zip(SEALED, line, strict=True)))
        wanted.append(previous)
    assert seals(FIRST, lines) == wanted

"""How a plan tells of money."""

import pytest

from weyr.stack.money import ends_text
from weyr.stack.steps import Amount


@pytest.mark.parametrize(
    ("ends", "told"),
    [(None, ""), ((0, 32_850_000), "0.00..32.85"), ((32_820_001, 32_820_009), "")],
    ids=["certain", "uncertain", "the same to the cent"],
)
def test_a_range_is_told_where_its_ends_differ_as_they_are_written(ends: tuple[int, int] | None, told: str) -> None:
    """Nobody is told that something costs between 32.82 and 32.82."""
    assert ends_text(Amount(32_820_005, (), ends)) == told

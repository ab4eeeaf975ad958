"""Sharing out what nobody is named for: exact to the last micro-unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.core.diagnostic import UserError
from weyr.ledger.accounts import Cost, Row
from weyr.ledger.allocation import divided, shares_of, spread
from weyr.ledger.grouping import Label


def bill(**micros: int) -> Cost:
    rows = tuple(Row("" if key == "nobody" else key, amount) for key, amount in micros.items())
    return Cost("USD", Label("team"), rows, sum(micros.values()), 0, "2026-11", 0, 0)


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=9).filter(sum))
def test_parts_add_up_to_the_whole_and_are_off_by_less_than_one(whole: int, weights: list[int]) -> None:
    """No micro-unit is lost or made, whatever is shared and by whatever shares."""
    parts = divided(whole, weights)
    assert sum(parts) == whole
    assert all(abs(part - whole * weight / sum(weights)) < 1.001 for part, weight in zip(parts, weights, strict=True))


def test_what_nobody_is_named_for_is_spread_by_use_or_by_fixed_shares() -> None:
    """A team that spent three quarters pays three quarters of the idle machines, unless it was agreed otherwise."""
    cost = bill(nobody=101, language=100, vision=300)
    assert {row.key: row.micros for row in spread(cost).rows} == {"language": 125, "vision": 376}
    fixed = spread(cost, shares_of("language=1, ops=1"))
    assert {row.key: row.micros for row in fixed.rows} == {"language": 151, "ops": 50, "vision": 300}
    assert sum(row.micros for row in fixed.rows) == cost.total_micros


def test_shares_that_cannot_be_read_are_named_all_at_once() -> None:
    """And a bill with nobody on it cannot be spread."""
    with pytest.raises(UserError) as caught:
        shares_of("vision=60,language,=4")
    assert len(caught.value.diagnostics) == 2
    with pytest.raises(UserError, match="has 3 parts already"):
        shares_of("vision=3,vision=4")
    with pytest.raises(UserError, match="more than 0"):
        shares_of("vision=0,language=0")
    with pytest.raises(UserError, match="nobody to share"):
        spread(bill(nobody=5))

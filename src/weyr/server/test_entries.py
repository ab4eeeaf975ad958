"""What is posted over the API is what somebody can have meant."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.server.bookkeeping import entry_of


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2206-11-03", "2026-02-30", "today"])
def test_a_day_is_one_that_a_bill_can_be_of(day: str) -> None:
    """A slip of the pen stretched every chart to it, and a correction keeps its line's day."""
    charge = {"stack": "x", "source": "s", "micros": 1, "day": day}
    with pytest.raises(UserError, match='"day" is'):
        entry_of({"id": "a", "charges": [charge]}, "ada")
    assert entry_of({"id": "a", "charges": [charge | {"day": "2026-11-03"}]}, "ada").charges[0].day == "2026-11-03"

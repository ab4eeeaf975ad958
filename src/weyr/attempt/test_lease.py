"""May an attempt run on? Only whoever may say so prolongs it."""

import os
import select

import pytest

from weyr.attempt.lease import Lease
from weyr.attempt.records import left_of_notice


def test_a_lease_is_prolonged_by_words_and_not_by_silence() -> None:
    """A node that nobody reaches any more hears only that its line is closed: another attempt may begin by then."""
    read, write = os.pipe()
    poll = select.poll()
    poll.register(read, select.POLLIN)
    lease = Lease(1000.0, read)
    lease._until -= 999.0
    os.write(write, b"x")
    lease.hear(poll)
    assert 990.0 < lease.left_s <= 1000.0
    lease._until -= 999.0
    os.close(write)
    lease.hear(poll)
    assert lease.left_s <= 1.0
    os.close(read)


@pytest.mark.parametrize(
    ("passed_s", "left_s"), [(0.0, 30.0), (10.0, 20.0), (30.0, 0.0), (-5.0, 30.0), (7200.0, 30.0), (-7200.0, 30.0)]
)
def test_what_is_left_of_a_notice_goes_by_clocks_that_agree(passed_s: float, left_s: float) -> None:
    """A node whose clock is two hours ahead is no reason to kill at once, nor to wait for two hours."""
    assert left_of_notice(1e9, 30.0, 1e9 + passed_s) == left_s

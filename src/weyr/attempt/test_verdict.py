"""An end is put down to whoever brought it about."""

import signal

import pytest

from weyr.attempt.container import Fate
from weyr.attempt.verdict import Outcome, at_limit, explained, told_by_notice, told_to_end

KILLED = Outcome(None, int(signal.SIGTERM), "")


@pytest.mark.parametrize("reason", ["told", ""])
def test_a_sigterm_after_a_notice_is_the_reclaim(reason: str) -> None:
    """A reclaimed attempt is followed by another; one that somebody stopped is not counted as that."""
    assert explained(reason, "", KILLED, told_by_notice)[0] == "reclaimed"


def test_what_was_asked_for_before_the_sigterm_stands() -> None:
    """A time limit that was reached is no reclaim, though a notice came too."""
    assert explained("timed out", "1h", KILLED, told_by_notice) == ("timed out", "1h")


def test_a_sigterm_that_nobody_explains_is_a_stop_or_a_failure() -> None:
    """The wrapper that was told to end was stopped; a program that died of a signal of its own failed."""
    assert explained("told", "", KILLED, told_to_end)[0] == "stopped"
    assert explained("", "", KILLED, told_to_end)[0] == ""


@pytest.mark.parametrize(("reason", "is_put_down_to_memory"), [("", True), ("stopped", True), ("timed out", False)])
def test_the_first_cause_of_a_containers_end_stands(reason: str, is_put_down_to_memory: bool) -> None:
    """What ran out of memory while it was being ended for its time had timed out."""
    found, _ = at_limit(reason, "", KILLED, Fate(is_out_of_memory=True), 64 << 20)
    assert found == ("out of memory" if is_put_down_to_memory else reason)

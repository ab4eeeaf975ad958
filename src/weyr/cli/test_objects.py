"""When has a stack come to rest? The rule that `weyr up` ends by."""

import pytest

from weyr.cli.objects import PATIENCE_S, REST_S, SETTLE_S, Outcome, Row, outcome_of, row_of
from weyr.core.phase import Phase


def rows(*phases: Phase) -> list[Row]:
    return [Row("s", "job", f"j{i}", phase, generation=2) for i, phase in enumerate(phases)]


CASES = {
    "nothing is left to do": ([Phase.READY, Phase.DONE], REST_S, Outcome.STANDS),
    "it stands but for a moment only": ([Phase.READY], 0.0, None),
    "something is at work": ([Phase.READY, Phase.WORKING], 999.0, None),
    "silence is not death": ([Phase.UNKNOWN], 999.0, None),
    "what goes is waited for": ([Phase.READY, Phase.REMOVING], 999.0, None),
    "one failed and the rest stands": ([Phase.READY, Phase.FAILED], REST_S, Outcome.FAILED),
    "a budget holds it": ([Phase.HELD], REST_S, Outcome.FAILED),
    "one failed but another is at work": ([Phase.FAILED, Phase.WORKING], 999.0, None),
    "one waits for what failed": ([Phase.FAILED, Phase.WAITING], SETTLE_S, Outcome.STUCK),
    "one waits, and may only wait for a slot": ([Phase.READY, Phase.WAITING], SETTLE_S, None),
    "all wait and nothing ever comes": ([Phase.READY, Phase.WAITING], PATIENCE_S, Outcome.STUCK),
}


@pytest.mark.parametrize(("phases", "quiet_s", "outcome"), CASES.values(), ids=CASES.keys())
def test_when_a_stack_rests(phases: list[Phase], quiet_s: float, outcome: Outcome | None) -> None:
    """`up` must neither leave too early nor sit there for ever."""
    assert outcome_of(rows(*phases), {"job/j0": 2}, quiet_s) is outcome


REASONS = {
    "a secret nobody has set is not waited for": ("ValueMissing", SETTLE_S, Outcome.STUCK),
    "but the object that was just made may not have looked yet": ("ValueMissing", 0.0, None),
    "a pause between two attempts ends by itself": ("Backoff", 2 * PATIENCE_S, None),
    "so does one after an interruption": ("Restarting", 2 * PATIENCE_S, None),
}


@pytest.mark.parametrize(("reason", "quiet_s", "outcome"), REASONS.values(), ids=REASONS.keys())
def test_what_is_waited_for_decides_how_long(reason: str, quiet_s: float, outcome: Outcome | None) -> None:
    """`up` says at once what only a person can do, and does not call a pause of minutes stuck."""
    waiting = Row("s", "secret", "key", Phase.WAITING, reason=reason, generation=2)

    assert outcome_of([waiting, *rows(Phase.WAITING)], {"job/j0": 2}, quiet_s) is outcome


def test_an_older_generation_does_not_count() -> None:
    """Right after a change the list may still show the object as it was before."""
    assert outcome_of(rows(Phase.READY), {"job/j0": 3}, 999.0) is None
    assert outcome_of(rows(Phase.READY), {"job/new": 1}, 999.0) is None


def test_the_worst_condition_is_what_is_told() -> None:
    """Of many conditions, a person wants the one that keeps it from standing."""
    ready = {"type": "Ready", "status": False, "message": "no"}
    failed = {"type": "Failed", "status": True, "message": "exit code 3"}

    row = row_of({"kind": "job", "name": "train", "phase": "failed", "conditions": [ready, failed]})

    assert row.message == "exit code 3"


def test_a_phase_of_a_newer_server_is_unknown_and_not_a_crash() -> None:
    """The command line may be older than the server."""
    assert row_of({"phase": "dancing"}).phase is Phase.UNKNOWN

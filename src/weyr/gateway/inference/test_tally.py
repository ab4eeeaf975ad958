"""How much has each caller used? What limits promise to the one who pays for the model."""

import subprocess
import sys
from pathlib import Path

import pytest

from weyr.core.limits import Limits
from weyr.gateway.inference import tally
from weyr.gateway.inference.subjects import Subject, Verdict
from weyr.gateway.inference.tally import TableFull, Tally

NOON = 1_800_000_000.0 - 1_800_000_000.0 % 86_400 + 43_200


def asked(table: Tally, limits: Limits, at: float, tokens: float = 0.0, micros: float = 0.0) -> Verdict:
    return table.admit([Subject("key:a", limits)], tokens, micros, at)


def admitted(table: Tally, limits: Limits, at: float, tokens: float = 0.0, micros: float = 0.0) -> bool:
    return not asked(table, limits, at, tokens, micros).denied


def test_a_burst_passes_and_then_the_rate_counts() -> None:
    """Ten at once are fine where ten are allowed; the eleventh is told when to come again, and may then."""
    table, limits = Tally(), Limits(requests_per_second=2, burst=10)
    assert [admitted(table, limits, NOON) for _ in range(11)] == [True] * 10 + [False]
    verdict = asked(table, limits, NOON, micros=0)
    assert (verdict.denied, verdict.retry_s, verdict.limit, verdict.remaining) == ("2 requests per second", 0.5, 10, 0)
    assert not admitted(table, limits, NOON + 0.49)
    assert admitted(table, limits, NOON + 0.5)


def test_a_refused_request_uses_nothing() -> None:
    """A client that retries in a loop is not kept out for ever by its own refusals."""
    table, limits = Tally(), Limits(requests_per_second=1, burst=1)
    assert admitted(table, limits, NOON)
    for _ in range(1000):
        assert not admitted(table, limits, NOON + 0.5)
    assert admitted(table, limits, NOON + 1.0)


def test_a_clock_that_goes_back_gives_nobody_anything() -> None:
    """A corrected clock is neither a free burst nor a lock-out of an hour."""
    table, limits = Tally(), Limits(requests_per_second=1, burst=2)
    assert admitted(table, limits, NOON)
    assert admitted(table, limits, NOON - 3600)
    assert not admitted(table, limits, NOON - 3600)
    assert admitted(table, limits, NOON - 3599)


def test_tokens_are_corrected_once_the_answer_is_known() -> None:
    """An estimate that was too high is given back; one that was too low is counted against the next request."""
    table, limits = Tally(), Limits(tokens_per_minute=600)
    assert admitted(table, limits, NOON, tokens=500)
    assert not admitted(table, limits, NOON, tokens=200)
    assert table.charge([Subject("key:a", limits)], -400, 0, NOON) == ""
    assert admitted(table, limits, NOON, tokens=200)
    assert table.charge([Subject("key:a", limits)], 600, 0, NOON) == "600 tokens per minute"
    assert not admitted(table, limits, NOON + 20, tokens=60)
    assert admitted(table, limits, NOON + 36, tokens=60)


def test_money_is_counted_by_day_and_month() -> None:
    """A key's budget for the day comes back at midnight UTC, that for the month with the next one."""
    table, limits = Tally(), Limits(micros_per_day=100, micros_per_month=150)
    assert admitted(table, limits, NOON, micros=100)
    verdict = asked(table, limits, NOON, micros=1)
    assert verdict.retry_s == 43_200
    assert admitted(table, limits, NOON + 86_400, micros=50)
    verdict = asked(table, limits, NOON + 86_400, micros=1)
    assert "per month" in verdict.denied
    assert admitted(table, limits, NOON + 86_400 + verdict.retry_s, micros=1)


def test_what_was_used_outlives_the_process(tmp_path: Path) -> None:
    """A plane that is restarted does not give everybody a new day's budget, and holds nobody for dead requests."""
    limits = Limits(concurrency=1, micros_per_day=100)
    before = Tally(tmp_path / "limits")
    assert admitted(before, limits, NOON, micros=90)
    before.close()
    after = Tally(tmp_path / "limits")
    assert after.used(Subject("key:a"), NOON) == (90, 90, 0)
    assert admitted(after, limits, NOON, micros=5)
    assert not admitted(after, limits, NOON, micros=5)


CHILD = """
import sys
from pathlib import Path
from weyr.core.limits import Limits
from weyr.gateway.inference.subjects import Subject
from weyr.gateway.inference.tally import Tally
table = Tally(Path(sys.argv[1]))
key = Subject("key:a", Limits(requests_per_second=1e-9, burst=1000, concurrency=5000))
print(sum(not table.admit([key], 0, 0, 1e9).denied for _ in range(900)), flush=True)
sys.stdin.read()
"""


def test_processes_count_together_and_exactly(tmp_path: Path) -> None:
    """Three processes on a port give a caller its limit, not three times its limit; a killed one holds nothing."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "limits")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    try:
        assert sum(int(child.stdout.readline()) for child in children) == 1000
        table = Tally(tmp_path / "limits")
        assert table.used(Subject("key:a"), 1e9)[2] == 1000
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
    table.forget_the_dead()
    assert table.used(Subject("key:a"), 1e9)[2] == 0


def test_subjects_that_are_long_gone_make_room() -> None:
    """Tasks come and go under new names for years; a subject in use never loses its count to a new one."""
    table, limits = Tally(sets=1), Limits(requests_per_second=1, burst=1, concurrency=1)
    for number in range(tally.SET_SLOTS):
        old = Subject(f"old{number}", limits)
        assert not table.admit([old], 0, 0, NOON).denied
        table.charge([old], 0, 0, NOON, ends=True)
    new = Subject("new", limits)
    with pytest.raises(TableFull):
        table.admit([new], 0, 0, NOON + 60)
    assert not table.admit([new], 0, 0, NOON + 90_000).denied
    assert table.admit([new], 0, 0, NOON + 90_000).denied


def test_a_request_passes_all_of_its_limits_or_uses_none() -> None:
    """Whoever is refused by an endpoint's own limit has not spent his key's."""
    table = Tally()
    key = Subject("key:a", Limits(requests_per_second=1, burst=5, concurrency=9, micros_per_day=100))
    endpoint = Subject("bench/model", Limits(requests_per_second=1, burst=1))
    assert table.admit([key, endpoint], 0, 10, NOON).remaining == 0
    for _ in range(20):
        assert table.admit([key, endpoint], 0, 10, NOON).denied == "1 requests per second"
    assert table.used(key, NOON) == (10, 10, 1)
    assert table.admit([key], 0, 0, NOON).remaining == 3

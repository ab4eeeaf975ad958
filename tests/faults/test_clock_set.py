"""Somebody sets the machine's clock, or it sleeps for an hour: what runs goes on, once, and costs what it ran."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError
from clocked_user import ClockedUser, a_clocked_user
from one_user import User, until

from weyr.reconcile.clock import ClockWatch

HOUR_S = 3600.0
STEPS_S = (60.0, -60.0, HOUR_S, -HOUR_S, 24 * HOUR_S, 40 * 24 * HOUR_S, 0.0)
"""Where the clock is put, one after the other: minutes, hours, a day, over a month's end, and right again."""
MICROS_PER_HOUR = 40_480 + 4_445
"""AWS Fargate, a CPU and a GiB: src/weyr/ledger/prices/data/books.yaml."""
STACK = """\
stack: steady
buckets:
  lake: {}
jobs:
  long:
    run: 'echo begun >>begun; while [ ! -e go ]; do sleep 0.05; done; echo ended'
    resources: {cpu: 1, memory: 1GiB}
  again:
    run: 'echo tried >>tried; test -e go'
    retries: {max: 3, backoff: 2s}
budgets:
  month: {limit: 1 USD, then: stop, above: warn}
"""


@dataclass(frozen=True)
class Standing:
    """A user whose stack is up and whose job runs, since when by a clock that nobody sets."""

    user: ClockedUser
    began: float

    def check(self, what: str) -> None:
        """The job is the same that it was, nothing was started anew, and the bill is what it ran."""
        until(lambda: self.billed_s() >= self.ran_s() - 10, f"{what}: what ran to be billed")
        assert (billed_s := self.billed_s()) <= (ran_s := self.ran_s()) + 5, f"{what}: {billed_s:g} of {ran_s:g} s"
        until(lambda: self.user.row("job/long")["phase"] == "working", f"{what}: the job to be seen at work")
        assert self.user.row("budget/month")["phase"] != "held", what
        assert (self.user.folder / "begun").read_text() == "begun\n", what

    def ran_s(self) -> float:
        return time.monotonic() - self.began

    def billed_s(self) -> float:
        """How long the job has run by its bill."""
        rows = {row["key"]: row["micros"] for row in self.user.api("GET", "/v1/cost?by=object&stack=steady")["rows"]}
        return float(rows.get("steady:job/long", 0)) * HOUR_S / MICROS_PER_HOUR


@pytest.fixture(scope="module")
def standing() -> Iterator[Standing]:
    """One stack for all: after everything its job ends as if nothing had been."""
    with a_clocked_user() as user:
        user.write(STACK)
        user.weyr("up", "--yes", "--detach")
        until(lambda: (user.folder / "begun").exists(), "the job to run")
        yield Standing(user, time.monotonic())
        (user.folder / "go").touch()
        assert user.until_phase("job/long", "done")["outputs"]["attempts"] == 1
        assert user.events("attempt.lost") == []
        assert (user.folder / "begun").read_text() == "begun\n"


def test_a_clock_that_is_set_changes_neither_what_runs_nor_what_it_costs(standing: Standing) -> None:
    """Forward and back by minutes, hours, a day and over a month's end, under a job, a retry and a budget."""
    for step_s in STEPS_S:
        standing.user.set_clock(step_s)
        standing.check(f"clock {step_s:+g} s")
    until(lambda: standing.user.row("job/again")["phase"] == "failed", "no retry to wait for a time that was set away")
    assert (standing.user.folder / "tried").read_text().count("tried") == 4, "the first and three retries"


def test_a_client_whose_clock_is_not_the_planes_is_told_so(standing: Standing) -> None:
    """A signature of an hour ago is refused in S3's own words, and a bearer token knows no time."""
    standing.user.set_clock(HOUR_S)
    with pytest.raises(ClientError) as refused:
        standing.user.s3().list_buckets()
    assert refused.value.response["Error"]["Code"] == "RequestTimeTooSkewed"
    assert standing.user.api("GET", "/v1/stacks")["stacks"]


def test_a_machine_that_stood_still_for_an_hour_goes_on_where_it_was(standing: Standing) -> None:
    """Every process stopped, the clock an hour further, every process continued. Nothing counts as lost or is done
    twice. No second of that hour passed for the kernel, so none is billed; a machine that really sleeps counts it."""
    user = standing.user
    user.set_clock(0)
    before = {name: user.pid(name) for name in ("server", "s3", "inference", "launcher")}
    stopped = stop_everything(user)
    user.set_clock(HOUR_S)
    for pid in stopped:
        with suppress(ProcessLookupError):  # its end was on its way when it was told to stop
            os.kill(pid, signal.SIGCONT)
    standing.check("an hour later")
    assert {name: user.pid(name) for name in before} == before


def stop_everything(user: User) -> set[int]:
    """Stops every process of the user, those too that are begun meanwhile; gives which."""
    stopped: set[int] = set()
    while running := user.processes().keys() - stopped:
        for pid in running:
            with suppress(ProcessLookupError):  # it was about to end
                os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
    return stopped


def test_only_a_clock_that_was_set_counts_as_set() -> None:
    """A machine that sleeps for an hour has passed it: the hour is waited for and billed. A clock that is steered by a
    second is none that was set; one that is put back a day is."""
    wall, passed = [1_000_000.0], [50.0]
    watch = ClockWatch(lambda: wall[0], lambda: passed[0])
    table = [(HOUR_S, HOUR_S, 0.0), (31.0, 30.0, 0.0), (10.0, 10.0, 0.0), (10.0 - 86_400, 10.0, -86_400.0)]
    for by_the_wall_s, passed_s, expected_s in table:
        wall[0] += by_the_wall_s
        passed[0] += passed_s
        now, unset = watch.look()
        assert now - unset == pytest.approx(expected_s), (by_the_wall_s, passed_s)

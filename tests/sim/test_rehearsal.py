"""A stack's week is rehearsed by the code that runs it: the bill is the ledger's, the same seed is the same week."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.core.units import HOUR_S
from weyr.core.work_times import class_of
from weyr.reconcile.scheduler import Room
from weyr.sim.rehearsal.arrivals import Arrivals, Burst, JobArrival, Moved, arrivals_of
from weyr.sim.rehearsal.outcome import Plain, outcome_of, ranges_of
from weyr.sim.rehearsal.past import past_of
from weyr.sim.rehearsal.rates import arrivals_at, read_rates
from weyr.sim.rehearsal.setting import Setting, Starts, Startup
from weyr.sim.rehearsal.spot import spot_trace
from weyr.sim.rehearsal.spread import Spread
from weyr.sim.rehearsal.world import Rehearsal
from weyr.stack.parse import parse_stack
from weyr.store import kernel

JOB = "jobs: {train: {run: x, resources: {cpu: 2, memory: 4GiB}%s}}\n"
SCALE = "scale: {min: %d, max: %d, target_inflight: 4}, waiting: {per_replica: 4}"
ENDPOINT = "endpoints: {web: {run: serve, ready: /, " + SCALE + "}}\n"


def rehearse(folder: Path, text: str, arrivals: Arrivals, setting: Setting) -> Plain:
    stack = parse_stack(f"stack: demo\n{text}", "weyr.yaml", KINDS)
    rehearsal = Rehearsal(KINDS, stack, arrivals, setting, folder)
    try:
        rehearsal.run()
        return outcome_of(rehearsal)
    finally:
        rehearsal.close()


def runs(*rows: tuple[float, float]) -> Arrivals:
    return arrivals_of([JobArrival(at, "train", takes) for at, takes in rows], {})


def test_the_bill_is_what_ran_at_the_ledgers_prices(folder: Path) -> None:
    """Three runs of an hour with 2 vCPU and 4 GiB cost three times what the price book says of that hour."""
    out = rehearse(folder, JOB % "", runs((0, 3600), (60, 3600), (9000, 3600)), Setting(6.0 * HOUR_S))
    one_hour = 2 * 40_480 + 4 * 4_445
    assert out["jobs"]["train"]["done"] == 3
    assert abs(out["cost"]["by_object_micros"]["job/train"] - 3 * one_hour) <= 3
    assert out["cost"]["total_micros"] == sum(out["cost"]["by_object_micros"].values())


def test_a_run_that_finds_no_room_waits_for_it(folder: Path) -> None:
    """Queue times come from the scheduler: with room for one of them the second begins when the first has ended."""
    setting = Setting(3.0 * HOUR_S, room=Room(2, 8 << 30), starts=Starts(task_s=1.0))
    out = rehearse(folder, JOB % "", runs((0, 600), (60, 600)), setting)
    train = out["jobs"]["train"]
    assert train["done"] == 2
    assert 540 <= train["queued_p99_s"] <= 550


def test_a_run_that_the_plan_begins_is_told_of(folder: Path) -> None:
    """A job that arrivals do not name runs once: how long that took is as much worth knowing."""
    out = rehearse(
        folder, JOB % ", array: 3, expected_duration: 5m", Arrivals(), Setting(HOUR_S, room=Room(4, 8 << 30))
    )
    train = out["jobs"]["train"]
    assert (train["asked"], train["done"]) == (1, 1)
    assert 600 <= train["took_mean_s"] <= 610, "two of them at once, and then the third"


def test_a_reclaimed_run_goes_on_from_its_checkpoint(folder: Path) -> None:
    """What was saved is not lost: an interruption costs what came since, and the wait for the next spot node."""
    text = JOB % ", spot: true, checkpoint: {bucket: lake, every: 1m}" + "buckets: {lake: {}}\n"
    trace = spot_trace([True] * 10 + [False] * 5 + [True] * 1000, 60.0)
    out = rehearse(folder, text, runs((0, 1800)), Setting(2.0 * HOUR_S, spot=trace))
    assert out["jobs"]["train"]["done"] == 1
    assert out["interruptions"]["by_reason"] == {"reclaimed": 1}
    assert out["interruptions"]["lost_work_s"] < 60
    assert 2100 <= out["jobs"]["train"]["took_mean_s"] <= 2170, "half an hour of work, and five minutes without spot"


def test_each_attempt_starts_up_again(folder: Path) -> None:
    """A run of half an hour, 2 min of them before its first step, takes 2 min more when it is interrupted once, and is
    billed for them; what its checkpoint asks of a bucket whose requests are told of is in the bill, too."""
    text = JOB % ", spot: true, checkpoint: {bucket: lake, every: 1m}" + "buckets: {lake: {}}\n"
    trace = spot_trace([True] * 10 + [False] * 5 + [True] * 1000, 60.0)
    asked = arrivals_of([JobArrival(0, "train", 1800)], {}, {"bucket/lake": [Moved(0.0, 100, 60.0, 1.0)]})
    starts = Starts(0.0, startup_of={"job/train": Startup(120.0, 2)})
    once, again = (
        rehearse(folder, text, asked, Setting(2.0 * HOUR_S, seed=seed, spot=spot, starts=starts))
        for seed, spot in ((1, None), (2, trace))
    )

    assert once["interruptions"] == {"count": 0, "by_reason": {}, "lost_work_s": 0.0, "startup_again_s": 0.0}
    assert again["interruptions"]["startup_again_s"] == 120.0
    assert again["interruptions"]["lost_work_s"] < 1.0
    costs = [out["cost"]["by_object_micros"] for out in (once, again)]
    assert costs[1]["job/train"] / costs[0]["job/train"] == pytest.approx(1920 / 1800, rel=0.001)
    assert again["storage"]["bucket/lake"]["writes"] - once["storage"]["bucket/lake"]["writes"] == 5
    assert costs[1]["bucket/lake"] - costs[0]["bucket/lake"] == pytest.approx(5 * 5, abs=1)


def test_what_an_attempt_needs_to_start_up_is_known_for_the_next_rehearsal(folder: Path) -> None:
    """The job remembers what was measured of its attempts, and over how many: that of a past that was itself rehearsed
    is known to the second."""
    text = JOB % ", spot: true, checkpoint: {bucket: lake, every: 1m}" + "buckets: {lake: {}}\n"
    trace = spot_trace([True] * 10 + [False] * 5 + [True] * 1000, 60.0)
    stack = parse_stack(f"stack: demo\n{text}", "weyr.yaml", KINDS)
    starts = Starts(0.0, startup_of={"job/train": Startup(120.0)})
    rehearsal = Rehearsal(KINDS, stack, runs((0, 1800)), Setting(HOUR_S, spot=trace, starts=starts), folder)
    rehearsal.run()
    with rehearsal.db.write() as connection:
        kernel.put_objects(connection, [kernel.plain_object(row) for row in rehearsal.world.objects.values()])
        connection.exec_driver_sql("COMMIT")

    past = past_of(stack, rehearsal.db, rehearsal.end, HOUR_S)

    rehearsal.close()
    assert past.startup == {"job/train": Startup(120.0, 2)}


def test_who_wakes_an_endpoint_waits_for_its_start_and_no_longer(folder: Path) -> None:
    """A replica is asked as soon as it is ready: what was measured of a start has that look in it."""
    text = "endpoints: {web: {run: serve, ready: /, scale: {min: 0, max: 1, idle_after: 10s}}}\n"
    arrivals = arrivals_of([], {"endpoint/web": [Burst(at, 1, 0.0, 0.2) for at in (60.0, 120.0, 180.0)]})
    setting = Setting(300.0, starts=Starts(0.25, 1.5), way_s=0.05)
    web = rehearse(folder, text, arrivals, setting)["serving"]["endpoint/web"]
    assert web["starts"] == 3
    assert web["latency_mean_s"] == pytest.approx(0.25 + 1.5 + 0.2 + 0.05, abs=0.01)


def test_starts_are_as_unlike_as_they_were_seen(folder: Path) -> None:
    """Whoever wakes an endpoint waits for one of the starts that were measured of it: a mean would be nobody's wait.
    The seed draws which, and another draws others."""
    text = "endpoints: {web: {run: serve, ready: /, scale: {min: 0, max: 1, idle_after: 10s}}}\n"
    arrivals = arrivals_of([], {"endpoint/web": [Burst(60.0 * number, 1, 0.0, 0.2) for number in range(1, 41)]})
    starts = Starts(0.0, ready_of={"endpoint/web": (1.0, 1.0, 1.0, 9.0)})
    first, other = (
        rehearse(folder, text, arrivals, Setting(2500.0, seed=seed, starts=starts, way_s=0.0))["serving"][
            "endpoint/web"
        ]
        for seed in (1, 2)
    )
    assert first["latency_p50_s"] == pytest.approx(1.2, rel=0.03)
    assert first["latency_p99_s"] == pytest.approx(9.2, rel=0.03)
    assert first["latency_mean_s"] != other["latency_mean_s"]


def test_losses_come_as_often_as_they_are_said_to(folder: Path) -> None:
    """With a mean of an hour between losses, a day of one replica has some twenty of them, each followed by a start."""
    out = rehearse(folder, ENDPOINT % (1, 1), Arrivals(), Setting(24.0 * HOUR_S, mtbf_s=3600.0))
    assert 10 <= out["interruptions"]["count"] <= 40
    assert out["interruptions"]["by_reason"].keys() == {"lost"}


@pytest.mark.parametrize("is_calm", [False, True])
def test_more_requests_bring_more_replicas_and_silence_takes_them_away(folder: Path, is_calm: bool) -> None:
    """The autoscaler of production decides, whether it looks every second or when something happens."""
    arrivals = arrivals_of([], {"endpoint/web": [Burst(60.0, 18_000, 600.0, 0.2)]})
    out = rehearse(folder, ENDPOINT % (0, 8), arrivals, Setting(1200.0, is_calm=is_calm))
    web = out["serving"]["endpoint/web"]
    assert web["requests"] == 18_000
    assert web["within_slo"] > 0.9, web
    assert 0.3 <= web["replica_h"] <= 1.0, "a replica and a half's work for ten minutes, and five idle ones after that"


@pytest.mark.parametrize("cap", ["", ", waiting: {per_replica: 4}"])
def test_what_waits_inside_a_replica_starts_no_others(folder: Path, cap: str) -> None:
    """Sixteen seconds' work in one second, three times: replicas come for what is to be done, not for how long it
    waited, and wherever it waits. Counted since they were sent, requests would have started 35."""
    text = "endpoints: {web: {run: serve, ready: /, scale: {min: 1, max: 8, target_inflight: 4}" + cap + "}}\n"
    bursts = [Burst(60.0, 7560, 540.0, 0.2), *(Burst(at_s, 160, 1.0, 0.2) for at_s in (150.0, 300.0, 450.0))]
    out = rehearse(folder, text, arrivals_of([], {"endpoint/web": bursts}), Setting(660.0, is_calm=False))
    web = out["serving"]["endpoint/web"]
    assert web["starts"] <= 20, web
    assert web["within_slo"] > 0.9, web


def steady(length_s: float) -> Arrivals:
    """Eight requests per second, from when the replica is there."""
    found = arrivals_at(read_rates("endpoint/web=8/s*200ms", ["endpoint/web"], {}), length_s, "flat", 1)
    bursts = [replace(burst, at_s=burst.at_s + 60) for burst in found.requests["endpoint/web"]]
    return arrivals_of([], {"endpoint/web": bursts})


def test_few_requests_and_many_agree_on_a_steady_load(folder: Path) -> None:
    """Requests that are followed one by one and those that flow are counted alike."""
    few = rehearse(folder, ENDPOINT % (1, 1), steady(600.0), Setting(660.0, is_calm=True))
    many = rehearse(folder, ENDPOINT % (1, 1), steady(1800.0), Setting(1860.0, is_calm=True, seed=2))
    assert few["serving"]["endpoint/web"]["requests"] < 10_000 < many["serving"]["endpoint/web"]["requests"]
    for key, apart in (("utilisation", 0.03), ("latency_mean_s", 0.02), ("within_slo", 0.02)):
        assert abs(few["serving"]["endpoint/web"][key] - many["serving"]["endpoint/web"][key]) < apart, key


@pytest.mark.parametrize("length_s", [600.0, 1800.0])
def test_requests_are_as_unlike_as_they_were_measured(folder: Path, length_s: float) -> None:
    """Followed one by one or flowing: the mean and so the bill is what it was, and tails are those of the work. What
    was told how long it takes takes that."""
    spread = Spread.of({class_of(0.15): 900.0, class_of(0.65): 100.0})
    assert spread is not None
    measured = Setting(length_s + 60.0, takes_of={"endpoint/web": 0.2}, spread_of={"endpoint/web": spread})
    web = rehearse(folder, ENDPOINT % (1, 1), steady(length_s), measured)["serving"]["endpoint/web"]
    assert web["latency_p50_s"] < 0.18
    assert web["latency_p99_s"] > 0.55
    assert web["utilisation"] == pytest.approx(8 * 0.2 * length_s / (length_s + 60) / 4, rel=0.05)
    told = replace(measured, takes_of={"endpoint/web": 0.3}, seed=2)
    plain = rehearse(folder, ENDPOINT % (1, 1), steady(length_s), told)["serving"]["endpoint/web"]
    assert plain["latency_p50_s"] == pytest.approx(0.2, rel=0.05)


def test_a_fatal_plan_is_not_rehearsed(folder: Path) -> None:
    """What `weyr up` would refuse has no bill."""
    with pytest.raises(UserError, match="contradict"):
        rehearse(folder, ENDPOINT % (3, 2), Arrivals(), Setting(60.0))


def test_ranges_are_over_seeds() -> None:
    """The mean, and the tenth and ninetieth of a hundred; what only some seeds have counts for those."""
    ranges = ranges_of([{"seed": n, "cost": {"x": n}, "why": {"lost": n} if n > 2 else {}} for n in range(1, 12)])
    assert ranges["cost"]["x"] == {"mean": 6.0, "p10": 2, "p90": 10}
    assert ranges["why"]["lost"]["p10"] == 4


ASKED = "job/train=200/d*10m, endpoint/web=1/s*100ms"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """In another process, whatever order Python's sets are in: who rehearses again sees what others saw."""
    file = tmp_path / "weyr.yaml"
    file.write_text("stack: demo\n" + JOB % ", spot: true, expected_duration: 10m" + ENDPOINT % (0, 4))
    (tmp_path / "spot.json").write_text('{"metadata": {"gap_seconds": 600}, "data": [1, 1, 1, 0, 1, 1, 0]}')
    words = ["-m", "weyr.cli.main", "--home", str(tmp_path / "home"), "simulate", str(file), "--for", "3h"]
    words += ["--arrivals", ASKED, "--spot-trace", str(tmp_path / "spot.json"), "--failures", "6h", "--json"]

    def answer(hash_seed: str) -> bytes:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    first = answer("1")
    assert first == answer("2")
    told = json.loads(first)
    assert told["runs"][0]["interruptions"]["count"] > 0
    assert told["ranges"]["cost"]["total_micros"]["mean"] > 0

"""What else a week is rehearsed with: its own past, buckets, functions, services, pools that lose nodes, a drawing."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weyr.cli.rehearsing import startup_text
from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.core.units import HOUR_S
from weyr.core.work_times import class_of
from weyr.gateway.s3.teller import EVERY_S
from weyr.reconcile.scaling import Scaling
from weyr.reconcile.work_learnt import PREFIX, Work
from weyr.sim.rehearsal.arrivals import Arrivals, Burst, JobArrival, Moved, arrivals_of, names_of, read_trace
from weyr.sim.rehearsal.outcome import Plain, outcome_of
from weyr.sim.rehearsal.rates import arrivals_at, read_rates
from weyr.sim.rehearsal.setting import Setting, Starts
from weyr.sim.rehearsal.spot import spot_trace
from weyr.sim.rehearsal.triggers import TOLD_WITHIN_S
from weyr.sim.rehearsal.world import Rehearsal
from weyr.stack.parse import parse_stack
from weyr.store import kernel

SERVED = "endpoints: {web: {run: serve, ready: /, scale: {min: 0, max: 4, target_inflight: 2, idle_after: 1m}}}\n"
JOB = "jobs: {train: {run: x, resources: {cpu: 2, memory: 4GiB}, expected_duration: 5m}}\n"


def begun(folder: Path, text: str, arrivals: Arrivals, setting: Setting) -> Rehearsal:
    stack = parse_stack(f"stack: demo\n{text}", "weyr.yaml", KINDS)
    rehearsal = Rehearsal(KINDS, stack, arrivals, setting, folder)
    rehearsal.run()
    return rehearsal


def rehearse(folder: Path, text: str, arrivals: Arrivals, setting: Setting) -> Plain:
    rehearsal = begun(folder, text, arrivals, setting)
    try:
        return outcome_of(rehearsal)
    finally:
        rehearsal.close()


def simulated(home: Path, file: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "weyr.cli.main", "--home", str(home), "simulate", str(file), *words, "--json"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, env=os.environ | {"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("text", ["", "ahead: {limit: 900 USD, period: day, then: stop}, "])
def test_a_budget_stops_as_soon_as_in_production_however_long_is_rehearsed(folder: Path, text: str) -> None:
    """Above two endpoint-hours looks are put off, and a stop came up to half an hour late: it comes within seconds of
    what runs, and what was held goes on with the next day."""
    budgets = f"budgets: {{{text}small: {{limit: 0.01 USD, period: day, then: stop, ahead: 1s}}}}\n"
    service = "services: {web: {run: x, resources: {cpu: 1, memory: 1GiB}}}\n"
    result = rehearse(folder, budgets + service, Arrivals(), Setting(26.0 * HOUR_S, is_calm=True))
    cost: Any = result["cost"]
    hour, days = 44_925, 2
    assert days * 10_000 <= cost["total_micros"] <= days * (10_000 + hour * 10 / 3600)


def test_what_came_lately_costs_again_what_it_cost(folder: Path, tmp_path: Path) -> None:
    """`--arrivals past` is what the data folder knows: runs by the ledger's meters, requests by the minutes that the
    autoscaler remembers, and how unlike they were. A past that was itself rehearsed is known to the last request."""
    text = "stack: demo\n" + JOB + SERVED + "buckets: {lake: {}}\n"
    (tmp_path / "weyr.yaml").write_text(text)
    arrivals = arrivals_of(
        [JobArrival(60.0, "train", 420.0)],
        {"endpoint/web": [Burst(0.0, 1800, 900.0, 0.25)]},
        {"bucket/lake": [Moved(0.0, 600, 900.0, 1e6)], "bucket/lake:egress": [Moved(0.0, 90, 900.0, 1e6)]},
    )  # fmt: skip
    setting = Setting(900.0, began_at=time.time() - 900.0, starts=Starts(1.0, 3.0), is_calm=False)
    rehearsal = begun(folder, text.partition("\n")[2], arrivals, setting)
    before = outcome_of(rehearsal)
    learnt = {
        name: told
        for later_s in (0.0, 20.0)
        for name, told in Scaling.unsaved(rehearsal.loop.scaling, rehearsal.end + later_s)
    }
    one_in_ten = {class_of(0.2): 900.0, class_of(0.7): 100.0}
    learnt[f"{PREFIX}demo:endpoint/web"] = Work(1000.0, 250.0, one_in_ten).text()
    with rehearsal.db.write() as connection:
        # A rehearsal keeps its world in memory alone; a server's is stored.
        kernel.put_objects(connection, [kernel.plain_object(row) for row in rehearsal.world.objects.values()])
        kernel.put_learnt(connection, learnt, rehearsal.end)
        connection.exec_driver_sql("COMMIT")
    (tmp_path / "home").mkdir()
    rehearsal.close()
    shutil.move(folder / "rehearsal-1.db", tmp_path / "home" / "store.db")

    again = simulated(tmp_path / "home", tmp_path / "weyr.yaml", "--arrivals", "past", "--for", "15m")

    assert again["assumed"]["takes_measured_s"]["job/train"] == pytest.approx(420.0, abs=1)
    assert again["assumed"]["takes_measured_s"]["endpoint/web"] == pytest.approx(0.25, abs=1e-6)
    assert again["assumed"]["ready_measured_s"]["endpoint/web"] == pytest.approx(3.0, rel=0.4)
    out = again["runs"][0]
    lake = out["storage"]["bucket/lake"]
    assert (lake["writes"], lake["reads"]) == pytest.approx((600, 90), rel=0.05)
    assert lake["egress_bytes"] == pytest.approx(90e6, rel=0.05)
    assert lake["stored_bytes"] == pytest.approx(600e6, rel=0.05)
    assert out["jobs"]["train"]["asked"] == 1
    web = out["serving"]["endpoint/web"]
    assert web["requests"] == pytest.approx(1800, rel=0.1)
    assert web["latency_p50_s"] < 0.25 < 0.6 < web["latency_p99_s"]
    assert out["cost"]["total_micros"] == pytest.approx(before["cost"]["total_micros"], rel=0.1)


def test_it_is_told_what_a_start_up_is_taken_to_be() -> None:
    """Whoever reads a rehearsal sees what it rests on, and what to say if it should be something else."""
    assert startup_text("job/a", {"takes_s": 4.0, "attempts": 2}) == (
        "job/a: start-up 4s in each attempt, measured over 2 attempts."
    )
    assert startup_text("job/a", {"takes_s": 90.0, "attempts": 0}).endswith(
        "start-up 1m30s in each attempt, as it was said."
    )
    assert "assumed none" in startup_text("job/a", None)
    assert "--startup" in startup_text("job/a", None)


def test_a_start_up_is_what_somebody_says_before_what_was_measured(folder: Path, tmp_path: Path) -> None:
    """A usage file beats what the data folder knows, and --startup both: plan and rehearsal go by one figure."""
    (tmp_path / "weyr.yaml").write_text(
        "stack: demo\nbuckets: {lake: {}}\n"
        "jobs: {train: {run: x, spot: true, checkpoint: {bucket: lake}, expected_duration: 5m}}\n"
    )
    (tmp_path / "usage.yaml").write_text("job/train: {startup: 20s..40s, interruptions: 2}\n")
    words = ["--for", "10m", "--usage", str(tmp_path / "usage.yaml")]

    told = simulated(folder / "none", tmp_path / "weyr.yaml", *words)["assumed"]["startup"]
    said = simulated(folder / "none", tmp_path / "weyr.yaml", *words, "--startup", "7s")["assumed"]["startup"]

    assert told == {"job/train": {"takes_s": 30.0, "attempts": 0}}
    assert said == {"job/train": {"takes_s": 7.0, "attempts": 0}}


def test_what_is_uploaded_calls_the_function_that_waits_for_it(folder: Path) -> None:
    """Whoever says how much is uploaded has said how often the function runs; what it takes is what was measured, after
    a wait of up to half a second until the plane looks for what it is to tell."""
    assert TOLD_WITHIN_S == EVERY_S
    text = "functions: {thumb: {handler: 'a:b', objects: [{bucket: lake}]}, b: {handler: 'a:b'}}\nbuckets: {lake: {}}\n"
    arrivals = arrivals_of(
        [], {}, {"bucket/lake": [Moved(0.0, 60, 600.0, 1e6)], "bucket/lake:delete": [Moved(0, 9, 9, 1)]}
    )
    out = rehearse(folder, text, arrivals, Setting(900.0, starts=Starts(0.0, 0.0), takes_of={"function/thumb": 0.5}))
    assert list(out["serving"]) == ["function/thumb"]
    assert out["serving"]["function/thumb"]["requests"] == 60
    thumb = out["serving"]["function/thumb"]
    assert 0.5 < thumb["latency_p50_s"] < 1.0
    assert thumb["latency_mean_s"] == pytest.approx(0.5 + TOLD_WITHIN_S / 2, abs=0.1)
    assert thumb["late"] == 0, "its way there is not the function's fault"
    assert out["cost"]["by_object_micros"]["function/thumb"] > 0


def test_what_answers_take_elsewhere_is_in_the_bill(folder: Path) -> None:
    """A row of requests says how many bytes each answer has that leaves; nothing leaves where it says none."""
    text = "functions: {thumb: {handler: 'a:b'}, b: {handler: 'a:b'}}\n"
    trace = "at,object,takes,count,over,size\n0,function/thumb,0.1,60,10m,5GB\n0,function/b,0.1,60,10m,\n"
    arrivals = read_trace(trace, "t.csv", ["function/thumb", "function/b"], {})

    cost = rehearse(folder, text, arrivals, Setting(900.0))["cost"]["by_object_micros"]

    sent = cost["function/thumb"] - cost["function/b"]
    paid = (60 * 5e9 - 100 * 2**30) / 2**30 * 90_000
    assert sent == pytest.approx(paid, rel=0.02)


def test_buckets_hold_and_send_what_arrivals_say(folder: Path) -> None:
    """Bytes are paid by the hour from when they are written until they are deleted, and what leaves is paid once."""
    text = "buckets: {lake: {lifecycle: [{expire_after: 12h}]}, out: {}}\n"
    known = list(names_of(["bucket/lake", "bucket/out"]))
    trace = "at,object,count,over,size\n0,bucket/lake,1000,1h,10MB\n0,bucket/out,10,1m,1GB\n"
    trace += "1h,bucket/out:egress,20,1h,1GB\n2h,bucket/out:read,5,1m,1GB\n3h,bucket/out:delete,4,1m,1GB\n"
    out = rehearse(folder, text, read_trace(trace, "t.csv", known, {}), Setting(24.0 * HOUR_S))
    assert out["storage"]["bucket/lake"] == {"writes": 1000, "reads": 0, "egress_bytes": 0, "stored_bytes": 0}
    assert out["storage"]["bucket/out"] == {
        "writes": 10, "reads": 25, "egress_bytes": 20_000_000_000, "stored_bytes": 6_000_000_000,
    }  # fmt: skip
    cost = out["cost"]["by_object_micros"]
    kept_twice = rehearse(
        folder, text.replace("12h", "23h"), read_trace(trace, "t.csv", known, {}), Setting(24.0 * HOUR_S, seed=2)
    )
    longer = kept_twice["cost"]["by_object_micros"]
    assert abs(longer["bucket/out"] - cost["bucket/out"]) <= 1
    requests = 1000 * 5
    assert longer["bucket/lake"] - requests == pytest.approx(23 / 12 * (cost["bucket/lake"] - requests), rel=0.06)


def test_rules_move_what_is_old_enough_to_its_tier(folder: Path) -> None:
    """Three quarters of a day at half of the price, and the moves paid for; what ends before it would move never does.
    What is small stays, as at the real plane."""
    tiers = "tiers: {standard_ia: /slow, glacier_ir: /tape}"
    rules = "{move_after: 6h, to: standard_ia}, {move_after: 12h, to: glacier_ir}, {expire_after: 18h}"
    text = f"buckets: {{lake: {{{tiers}, lifecycle: [{rules}]}}, small: {{{tiers}, lifecycle: [{rules}]}}}}\n"
    known = list(names_of(["bucket/lake", "bucket/small"]))
    trace = "at,object,count,over,size\n0,bucket/lake,1000,1m,1GB\n0,bucket/small,1000,1m,1KB\n"
    arrivals = read_trace(f"{trace}8h,bucket/lake,500,1m,1GB\n", "t.csv", known, {})

    at_ten = rehearse(folder, text, arrivals, Setting(10.0 * HOUR_S))["storage"]["bucket/lake"]
    out = rehearse(folder, text, arrivals, Setting(24.0 * HOUR_S, seed=2))
    unmoved = rehearse(folder, text.replace("6h", "7d").replace("12h", "8d"), arrivals, Setting(24.0 * HOUR_S, seed=3))

    assert (at_ten["standard_ia_bytes"], at_ten["glacier_ir_bytes"]) == (1000 * 10**9, 0)
    lake = out["storage"]["bucket/lake"]
    assert (lake["stored_bytes"], lake["standard_ia_bytes"], lake["glacier_ir_bytes"]) == (500 * 10**9, 0, 500 * 10**9)
    assert out["storage"]["bucket/small"]["glacier_ir_bytes"] == 0
    hours = {"standard": 9_000 * 1e9, "standard_ia": 9_000 * 1e9, "glacier_ir": (6_000 + 2_000) * 1e9}
    rates = {"standard": 0.023, "standard_ia": 0.0125, "glacier_ir": 0.004}
    stored = sum(hours[name] * rates[name] for name in hours) / 2**30 / 730
    asked = 1500 * (0.005 + 0.01 + 0.02) / 1000
    assert out["cost"]["by_object_micros"]["bucket/lake"] / 1e6 == pytest.approx(stored + asked, rel=0.02)
    assert unmoved["cost"]["by_object_micros"]["bucket/lake"] / 1e6 == pytest.approx(
        (18_000 + 8_000) * 1e9 * 0.023 / 2**30 / 730 + 1500 * 0.005 / 1000, rel=0.02
    )


def test_a_bucket_that_is_asked_without_a_size_is_told() -> None:
    """A rehearsal of empty objects would cost nothing."""
    with pytest.raises(UserError, match="size"):
        read_rates("bucket/lake=5/m", ["bucket/lake"], {})
    with pytest.raises(UserError) as told:
        read_trace("at,object,takes,size\n0,bucket/lake,1s,1MB\n0,bucket/lake,,big\n", "t.csv", ["bucket/lake"], {})
    assert len(told.value.diagnostics) == 2
    rates = arrivals_at(read_rates("bucket/lake:egress=60/m*2MB", ["bucket/lake:egress"], {}), 3600.0, "flat", 1)
    moved = rates.moves["bucket/lake"]["egress"]
    assert 3200 <= sum(each.count for each in moved) <= 4000
    assert {each.size_bytes for each in moved} == {2_000_000}


@pytest.mark.parametrize("is_calm", [False, True])
def test_a_function_is_awake_for_who_calls_it(folder: Path, is_calm: bool) -> None:
    """Its host comes for the first caller, who waits for that, and goes when nobody has called for `idle_after`."""
    text = "functions: {thumb: {handler: 'm:f', scale: {idle_after: 2m, max: 4}}}\n"
    calls = [Burst(600.0, 60, 60.0, 0.1), Burst(1800.0, 1, 0.0, 0.1)]
    setting = Setting(1.0 * HOUR_S, starts=Starts(1.0, 2.0), is_calm=is_calm)
    thumb = rehearse(folder, text, arrivals_of([], {"function/thumb": calls}), setting)["serving"]["function/thumb"]
    assert (thumb["requests"], thumb["dropped"], thumb["starts"]) == (61, 0, 2)
    assert 2.9 <= thumb["latency_p99_s"] <= 4
    least_s = 62 + 120 + 122
    assert least_s - 5 <= 3600 * thumb["replica_h"] <= least_s + (130 if is_calm else 30)


def test_a_service_stands_whether_it_scales_or_not(folder: Path) -> None:
    """One with `replicas` costs the same whoever comes; one with `scale` follows who does."""
    fixed = "services: {api: {run: serve, replicas: 2, resources: {cpu: 1, memory: 1GiB}}}\n"
    asked, calm = arrivals_of([], {"service/api": [Burst(60.0, 6000, 600.0, 0.2)]}), Setting(HOUR_S, is_calm=True)
    quiet = rehearse(folder, fixed, Arrivals(), calm)
    busy = rehearse(folder, fixed, asked, replace(calm, seed=2))
    assert busy["cost"] == quiet["cost"]
    assert busy["serving"]["service/api"]["within_slo"] > 0.99
    scaled = fixed.replace("replicas: 2", "scale: {min: 1, max: 4, target_inflight: 2}")
    grown = rehearse(folder, scaled, asked, replace(calm, seed=3))["serving"]["service/api"]
    assert grown["starts"] >= 2
    assert 1.0 <= grown["replica_h"] < 2.0


POOL = """
pools: {team: {min: 0, max: 2, cpu: 2, memory: 4GiB, market: spot, price: 0.10 USD, idle_after: 5m}}
buckets: {lake: {}}
jobs:
  train:
    run: x
    pool: team
    resources: {cpu: 2, memory: 4GiB}
    checkpoint: {bucket: lake, every: 1m}
    expected_duration: 30m
    retries: {max: 5}
"""


def test_a_pool_whose_spot_goes_takes_its_runs_with_it_and_begins_again(folder: Path) -> None:
    """The node's bill ends with it, the run waits for capacity, and goes on from its checkpoint on another."""
    trace = spot_trace([True] * 15 + [False] * 10 + [True] * 1000, 60.0)
    setting = Setting(3.0 * HOUR_S, spot=trace, notice_s=30.0)
    out = rehearse(folder, POOL, arrivals_of([JobArrival(0.0, "train", 1800.0)], {}), setting)
    assert out["jobs"]["train"]["done"] == 1
    assert out["interruptions"]["count"] >= 1
    assert out["interruptions"]["lost_work_s"] <= 60
    assert 2400 <= out["jobs"]["train"]["took_mean_s"] <= 2700, "half an hour, ten minutes without spot, two starts"


def test_nodes_are_lost_as_often_as_they_are_said_to_be(folder: Path) -> None:
    """What ran there begins again on another."""
    jobs = [JobArrival(3600.0 * hour, "train", 1800.0) for hour in range(20)]
    out = rehearse(folder, POOL, arrivals_of(jobs, {}), Setting(24.0 * HOUR_S, mtbf_s=2.0 * HOUR_S))
    assert out["interruptions"]["by_reason"].keys() <= {"lost", "node_lost"}
    assert 1 <= out["interruptions"]["count"] <= 20
    assert out["jobs"]["train"]["done"] == 20


def test_a_frontier_is_drawn(tmp_path: Path) -> None:
    """For those who decide by looking."""
    (tmp_path / "weyr.yaml").write_text("stack: demo\n" + SERVED)
    words = ["--arrivals", "endpoint/web=6/s*200ms", "--for", "3m", "--vary", "scale.max=1..2"]
    out = simulated(tmp_path, tmp_path / "weyr.yaml", *words, "--chart", str(tmp_path / "frontier.svg"))
    assert [row["values"] for row in out["frontier"]] == [{"scale.max": 1}, {"scale.max": 2}]
    assert "<svg" in (tmp_path / "frontier.svg").read_text()

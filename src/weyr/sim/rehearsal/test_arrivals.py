"""Traces, rates and spot: what cannot be meant is told at once with its line, and rates come as often as they say."""

import pytest

from weyr.core.diagnostic import UserError
from weyr.core.units import DAY_S
from weyr.sim.rehearsal.arrivals import Burst, JobArrival, read_trace
from weyr.sim.rehearsal.latencies import Latencies
from weyr.sim.rehearsal.rates import arrivals_at, read_rates
from weyr.sim.rehearsal.spot import read_spot_trace

KNOWN = ["job/train", "endpoint/web"]


def test_a_trace_is_jobs_and_requests_in_order() -> None:
    """Rows may stand in any order and say times as people do; what a row leaves out is what is expected."""
    text = (
        "at,object,takes,count,over\n1h,job/train,,,\n30s,endpoint/web,20ms,600,10m\n# a note\n5,endpoint/web,20ms,,\n"
    )
    found = read_trace(text, "t.csv", KNOWN, {"job/train": 40.0})
    assert found.jobs == (JobArrival(3600.0, "train", 40.0),)
    assert found.requests["endpoint/web"] == (Burst(5.0, 1, 0.0, 0.02), Burst(30.0, 600, 600.0, 0.02))


def test_dates_count_from_the_first_ones_midnight() -> None:
    """So the time of day stays what it was."""
    text = "at,object,takes\n2026-11-02T08:00:00,job/train,1s\n2026-11-03,job/train,1s\n"
    found = read_trace(text, "t.csv", KNOWN, {})
    assert [job.at_s for job in found.jobs] == [8 * 3600, 24 * 3600]


def test_every_bad_line_is_told_at_once() -> None:
    """A trace of thousands of lines is not mended one error at a time."""
    text = "at,object,takes\nsoon,job/train,1s\n1,job/trian,1s\n2,endpoint/web,\n3,job/train,1s\n,job/train,1s\n"
    with pytest.raises(UserError) as told:
        read_trace(text, "t.csv", KNOWN, {})
    assert [each.place.line for each in told.value.diagnostics if each.place] == [2, 3, 4, 6]
    assert 'Did you mean "job/train"?' in str(told.value)


def test_columns_that_are_not_known_are_told() -> None:
    """A misspelt column would be left out, and the rehearsal would be of something else."""
    with pytest.raises(UserError, match='Did you mean "takes"'):
        read_trace("at,object,taks\n", "t.csv", KNOWN, {})
    with pytest.raises(UserError, match='"at" is there twice'):
        read_trace("at,object,at\n", "t.csv", KNOWN, {})
    with pytest.raises(UserError, match="names 2 columns"):
        read_trace("at,object\n1,job/train,40s\n", "t.csv", KNOWN, {"job/train": 40.0})


def test_rates_come_as_often_as_they_say() -> None:
    """Over whole days the shape changes when they come, and not how many."""
    rates = read_rates("job/train=400/d*1m, endpoint/web=2/s*50ms", KNOWN, {})
    for shape in ("office", "flat"):
        found = arrivals_at(rates, 2.0 * DAY_S, shape, 7)
        assert 700 <= len(found.jobs) <= 900
        assert 0.98 <= found.asked("endpoint/web") / (4 * DAY_S) <= 1.02
    assert arrivals_at(rates, 3600.0, "office", 7) == arrivals_at(rates, 3600.0, "office", 7)
    assert arrivals_at(rates, 3600.0, "office", 7) != arrivals_at(rates, 3600.0, "office", 8)


def test_every_bad_rate_is_told_at_once() -> None:
    """With an example, since nobody knows the form by heart."""
    text = "job/train=x/d, endpoint/wob=1/s*1s, endpoint/web=1/s, job/train=1.2.3/d, job/train=1/d*5x"
    with pytest.raises(UserError) as told:
        read_rates(text, KNOWN, {})
    assert len(told.value.diagnostics) == 5


def test_one_object_has_one_rate() -> None:
    """The second took the first one's place, and nobody was told."""
    with pytest.raises(UserError, match="has a rate already"):
        read_rates("endpoint/web=1/s*1s, endpoint/web=2/s*1s", KNOWN, {})


def test_more_than_can_be_played_is_refused() -> None:
    """A slip of the unit would fill the memory before anything is said."""
    rates = read_rates("job/train=1000000/s*1m, endpoint/web=1000000000/s*1s", KNOWN, {})
    with pytest.raises(UserError) as told:
        arrivals_at(rates, DAY_S, "flat", 1)
    assert len(told.value.diagnostics) == 2


def test_spot_comes_and_goes_by_its_trace_and_begins_anew() -> None:
    """A trace is mostly shorter than what is rehearsed."""
    trace = read_spot_trace('{"metadata": {"gap_seconds": 100}, "data": [1, 1, 0, 1]}', "s.json")
    assert [trace.is_there(at) for at in (0, 199, 200, 299, 300, 401, 600)] == [
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]
    assert (trace.next_flip(0), trace.next_flip(250), trace.next_flip(350)) == (200, 300, 600)
    assert trace.next_there(250) == 300
    always = read_spot_trace('{"metadata": {"gap_seconds": 100}, "data": [1, 1]}', "s.json")
    assert always.next_flip(0) == float("inf")
    with pytest.raises(UserError, match="cannot be read"):
        read_spot_trace('{"data": [1]}', "s.json")
    with pytest.raises(UserError, match="2 is neither 1 nor 0"):
        read_spot_trace('{"metadata": {"gap_seconds": 100}, "data": [1, 2]}', "s.json")


def test_quantiles_are_exact_to_two_in_a_hundred() -> None:
    """However many there were."""
    latencies = Latencies()
    for number in range(1, 1001):
        latencies.add(number / 1000)
    assert abs((latencies.quantile(0.5) or 0) / 0.5 - 1) < 0.02
    assert abs((latencies.quantile(0.99) or 0) / 0.99 - 1) < 0.02

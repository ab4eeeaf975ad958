"""A job on spot costs little and is never late, whatever spot does."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.scheduling.spot import Moment, Runs, Spells, Terms, best_zone, decide, deciding
from weyr.scheduling.spot.zones import ends_per_hour

STEP_S = 300.0
TERMS = Terms(launch_s=400, step_s=STEP_S, spot_per_hour=1, on_demand_per_hour=3, work_s=6 * 3600, slack_s=4 * 3600)


def played(there: list[bool], slack_s: float, terms: Terms = TERMS) -> tuple[list[Runs], float]:
    """What ran at each tick of a job, and how many seconds were left after the last of them; spot repeats after the
    list's end."""
    work_s, left_s, runs, starting_s = terms.work_s, terms.work_s + slack_s, Runs.NOTHING, 0.0
    spells = Spells()
    story: list[Runs] = []
    while work_s > 1e-6 and len(story) < 1000:
        is_there = there[len(story) % len(there)]
        if runs is Runs.SPOT and not is_there:
            runs, starting_s = Runs.NOTHING, 0.0
        spells = spells.seen(is_there, terms.step_s)
        chosen = decide(terms, Moment(work_s, left_s, is_there, runs, starting_s), spells)
        if chosen is not runs:
            starting_s = 0.0 if chosen is Runs.NOTHING else terms.launch_s
        runs = chosen
        if runs is not Runs.NOTHING:
            work_s -= max(0.0, terms.step_s - starting_s)
            starting_s = max(0.0, starting_s - terms.step_s)
        left_s -= terms.step_s
        story.append(runs)
    return story, left_s


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(700, 4 * 3600))
def test_a_deadline_that_can_be_kept_is_kept(there: list[bool], slack_s: float) -> None:
    """The deadline is the user's; spot may vanish at the worst moment, each time. Who counts in whole ticks finds the
    same: the last one is over in time too."""
    story, early_s = played(there, slack_s)
    assert early_s >= -1e-6, story


WORLDS = st.sampled_from(
    [
        Terms(launch_s=launch_s, step_s=step_s, spot_per_hour=spot, on_demand_per_hour=3, work_s=7200, slack_s=7200)
        for launch_s, step_s in ((0, 300), (180, 195), (792, 600), (1900, 300), (60, 777), (3600, 3600))
        for spot in (0.0, 1.0)
    ]
)


@settings(max_examples=60, deadline=None)
@given(WORLDS, st.lists(st.booleans(), min_size=1, max_size=40), st.floats(0, 7200))
def test_no_trace_makes_a_job_late_whatever_starts_and_looks_take(
    terms: Terms, there: list[bool], more_s: float
) -> None:
    """Starts longer than a look, looks that do not divide the work, prices of nothing: wherever on demand alone is in
    time, counted in whole looks, the job is."""
    least_s = terms.step_s * ceil((terms.launch_s + terms.work_s) / terms.step_s)
    story, early_s = played(there, least_s - terms.work_s + more_s, terms)
    assert early_s >= -1e-6, story


def test_a_deadline_that_cannot_be_kept_is_missed_by_the_least() -> None:
    """Late is late, but waiting for spot would make it later: it runs on demand to the end."""
    story, early_s = played([True, False, True], -600)
    assert set(story) == {Runs.ON_DEMAND}
    assert early_s == pytest.approx(-1200)


def test_terms_that_are_nearly_alike_share_their_values() -> None:
    """A pass over many jobs with deadlines works values out once, not for each job at each look."""
    values = deciding._values_of(TERMS)
    assert (
        deciding._values_of(replace(TERMS, work_s=TERMS.work_s + 900, spot_per_hour=2, on_demand_per_hour=6)) is values
    )
    assert deciding._values_of(replace(TERMS, launch_s=4000)) is not values


@pytest.mark.parametrize(
    "wrong", [{"step_s": 0}, {"launch_s": -1}, {"on_demand_per_hour": 0}, {"work_s": float("nan")}]
)
def test_terms_of_no_world_are_refused(wrong: dict[str, float]) -> None:
    """A look that takes no time would never end a job; said at once, not as a division by zero later."""
    with pytest.raises(ValueError, match="not less than"):
        replace(TERMS, **wrong)


def test_spot_that_is_gone_runs_nothing() -> None:
    """Who says that it still runs is told the same as who says that nothing does."""
    spells = Spells().seen(True, STEP_S).seen(False, STEP_S)
    for left_s in (3600, 4200, 4 * 3600):
        moment = Moment(3600, left_s, is_spot_there=False, runs=Runs.SPOT, starting_s=200)
        assert decide(TERMS, moment, spells) is decide(TERMS, Moment(3600, left_s, is_spot_there=False), spells)


def test_no_more_is_paid_than_needed_where_spot_is_always_there() -> None:
    """A job that spot can carry to its end costs what spot costs."""
    story, _ = played([True], 4 * 3600)
    assert set(story) == {Runs.SPOT}


def test_a_job_without_slack_runs_on_demand_from_the_first_look() -> None:
    """There is no time to try: a start that is lost would make it late."""
    story, early_s = played([True, False], 700)
    assert set(story) == {Runs.ON_DEMAND}
    assert early_s >= 0


def test_a_job_with_much_slack_waits_where_spot_went_away() -> None:
    """On demand costs three times as much, and the work fits into later spells."""
    moment = Moment(3600, 5 * 3600, is_spot_there=False)
    spells = Spells().seen(True, STEP_S).seen(False, STEP_S)
    assert decide(TERMS, moment, spells) is Runs.NOTHING


def test_a_job_with_little_slack_does_not_wait() -> None:
    """Slack is kept for the starts that later spells of spot will cost."""
    moment = Moment(6 * 3600, 6 * 3600 + 3000, is_spot_there=False)
    spells = Spells().seen(True, STEP_S).seen(False, STEP_S)
    assert decide(TERMS, moment, spells) is Runs.ON_DEMAND


def test_what_has_lasted_will_last() -> None:
    """Spot that has been there for hours is likelier to be there in the next one than spot that just came."""
    spells = Spells().seen(True, STEP_S)
    ages_s = (60, 1200, 5400, 10 * 3600)
    rates = [ends_per_hour(replace(spells, age_s=age_s)) for age_s in ages_s]
    assert rates == sorted(rates, reverse=True)


def test_the_first_look_knows_no_end() -> None:
    """A spell was there before anybody looked: its end counts, what came before the first look does not."""
    seen = Spells().seen(True, STEP_S).seen(True, STEP_S).seen(False, STEP_S)
    assert (seen.ends, seen.returns, seen.age_s) == (1, 0, 0.0)
    assert seen.ends_expected > 0


def test_cases_weigh_one_together() -> None:
    """They are chances; many quick ends make the quick case the likely one."""
    spells = Spells()
    for number in range(200):
        spells = spells.seen(number % 2 == 0, STEP_S)
    weights = spells.weights()
    assert sum(weights) == pytest.approx(1)
    assert max(weights) == weights[-1]


def test_of_several_zones_the_one_that_lasts_is_taken() -> None:
    """A start in a zone that came a minute ago is often lost; a zone that is half the price is worth it."""
    old = replace(Spells().seen(True, STEP_S), age_s=10 * 3600)
    young = replace(old, age_s=60.0)
    gone = Spells().seen(False, STEP_S)
    assert best_zone([gone, young, old], [1, 1, 1], 600) == 2
    assert best_zone([gone, young, old], [1, 0.4, 1], 600) == 1
    assert best_zone([gone], [1], 600) is None

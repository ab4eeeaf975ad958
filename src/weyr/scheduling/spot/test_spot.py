"""A job on spot costs little and is never late, whatever spot does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.scheduling.spot import Moment, Runs, Spells, Terms, best_zone, decide
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
        spells = spells.seen(is_there, STEP_S)
        chosen = decide(terms, Moment(work_s, left_s, is_there, runs, starting_s), spells)
        if chosen is not runs:
            starting_s = 0.0 if chosen is Runs.NOTHING else terms.launch_s
        runs = chosen
        if runs is not Runs.NOTHING:
            work_s -= max(0.0, STEP_S - starting_s)
            starting_s = max(0.0, starting_s - STEP_S)
        left_s -= STEP_S
        story.append(runs)
    return story, left_s


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(700, 4 * 3600))
def test_a_deadline_that_can_be_kept_is_kept(there: list[bool], slack_s: float) -> None:
    """The deadline is the user's; spot may vanish at the worst moment, each time. Who counts in whole ticks finds the
    same: the last one is over in time too."""
    story, early_s = played(there, slack_s)
    assert early_s >= -1e-6, story


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

"""A budget tells of each share once, stops what spends where it was asked to, and lets it go on in time."""

from dataclasses import replace
from typing import Any

import pytest
from any_history import History, Move, goes_away, moves
from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.capability import Capability, Channel, NoticeBody
from weyr.core.checking import Proposal
from weyr.core.decision import Decision, Ensure, Phase, Release, Spend, Thing, View, Want, phase_of
from weyr.core.diagnostic import Severity
from weyr.core.reach import Reach
from weyr.core.ref import Ref
from weyr.core.schema import Spec, from_plain
from weyr.core.seen import Absent, NoticeFacts, Present, Seen, Unknown
from weyr.core.units import MICROS
from weyr.kinds.cost.budget import KIND
from weyr.kinds.cost.budget.checks import checks
from weyr.kinds.cost.budget.decide import BudgetMemory, decide
from weyr.kinds.cost.budget.limit import limit_of
from weyr.kinds.cost.budget.spec import BudgetSpec

MONTH = Ref("digits", "budget", "month")


def budget(**fields: Any) -> BudgetSpec:
    spec: BudgetSpec = from_plain(BudgetSpec, {"limit": "200 USD", "alert_at": ["50%", "80%"], **fields})
    return spec


def spent(amount: float, period: str = "2026-11") -> Spend:
    return Spend(round(amount * MICROS), period, forecast_micros=7)


def notice(seen: Seen, part: str = "2026-11.200000000-0.5", **fields: Any) -> Thing:
    return Thing(part, Capability.NOTICES, 1, seen, is_accepted="refusal" not in fields, **fields)


def look(
    spec: BudgetSpec | None, spend: Spend | None, *things: Thing, memory: BudgetMemory | None = None
) -> Decision[BudgetMemory]:
    return decide(Want(MONTH, spec, 1), View(0.0, {t.part: t for t in things}, memory=memory, spend=spend))


def alerts(decision: Decision[BudgetMemory]) -> list[str]:
    return [action.part for action in decision.actions if isinstance(action, Ensure)]


def events(decision: Decision[BudgetMemory]) -> list[str]:
    return [note.event for note in decision.notes]


AMOUNTS: dict[str, tuple[float, list[str], bool]] = {
    # how much is spent: (amount, shares alerted for, whether it is over)
    "nothing": (0, [], False),
    "just less than half": (99.999999, [], False),
    "exactly half": (100, ["0.5"], False),
    "all but a cent": (199.99, ["0.5", "0.8"], False),
    "all of it": (200, ["0.5", "0.8"], True),
    "twice as much": (400, ["0.5", "0.8"], True),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_shares_and_limit_are_met_to_the_millionth(case: str) -> None:
    """Money is whole numbers: what is reached is reached."""
    amount, shares, is_over = AMOUNTS[case]

    decision = look(budget(then="stop"), spent(amount))

    assert [part.removeprefix("2026-11.200000000-") for part in alerts(decision)] == shares
    assert bool(decision.holds) is is_over
    assert decision.conditions[0].reason == ("Spent" if is_over else "Watching")
    assert decision.outputs["stopping"] is is_over


def test_each_share_is_told_once() -> None:
    """Also where a correction takes back a little and it is passed again; the notice itself is one thing."""
    first = look(budget(), spent(101))
    second = look(budget(), spent(120), memory=first.memory)
    corrected = look(budget(), spent(99), memory=second.memory)
    passed_again = look(budget(), spent(101), memory=corrected.memory)
    next_share = look(budget(), spent(160), memory=passed_again.memory)

    told = [events(decision) for decision in (first, second, corrected, passed_again, next_share)]
    assert told == [["budget.alert"], [], [], [], ["budget.alert"]]
    assert next_share.notes[0].message == "budget/month: 80% of 200.00 USD is spent in 2026-11 (160.00)"


def test_a_share_that_is_written_twice_is_one() -> None:
    """A slip in the file is no reason to be told twice."""
    assert len(look(budget(alert_at=["50%", "50%"]), spent(150)).notes) == 1


def test_another_limit_and_another_month_alert_anew() -> None:
    """Half of 400 is news although half of 200 was told, and so is half of December's."""
    november = look(budget(), spent(150))
    raised = look(budget(limit="300 USD"), spent(150), memory=november.memory)
    december = look(budget(), spent(150, "2026-12"), memory=november.memory)

    parts = {part for decision in (november, raised, december) for part in alerts(decision)}
    assert [events(decision) for decision in (raised, december)] == [["budget.alert"], ["budget.alert"]]
    assert len(parts) == 3


RESUMED: dict[str, tuple[BudgetSpec, Spend]] = {
    "the month is over": (budget(then="stop"), spent(0, "2026-12")),
    "the limit is raised": (budget(then="stop", limit="300 USD"), spent(210)),
    "it only alerts from now on": (budget(then="alert"), spent(210)),
}


@pytest.mark.parametrize("case", RESUMED)
def test_what_was_stopped_goes_on_when(case: str) -> None:
    """A stop is a level, not an event: nobody has to remember to take it back."""
    spec, spend = RESUMED[case]
    stopped = look(budget(then="stop"), spent(210))
    still = look(budget(then="stop"), spent(210), memory=stopped.memory)
    resumed = look(spec, spend, memory=still.memory)

    assert events(stopped) == ["budget.alert", "budget.alert", "budget.stop"]
    assert events(still) == []
    assert "budget.resume" in events(resumed)
    assert resumed.holds == ()


def test_the_hold_says_why_and_does_not_change_with_each_cent() -> None:
    """The whole stack looks again whenever a hold changes, and storage goes on costing while it stands."""
    holds = {look(budget(then="stop"), spent(amount)).holds for amount in (200, 200.01, 250)}

    assert [hold.reason for (hold,) in holds] == ["budget/month is spent: 200.00 USD in 2026-11"]


def test_when_spending_is_not_known_a_stop_stays_a_stop() -> None:
    """Silence neither lets money go nor stops what was allowed to run."""
    stopped = look(budget(then="stop"), spent(210)).memory
    assert stopped is not None

    unknown = [look(budget(then="stop"), None, memory=memory) for memory in (None, stopped)]

    assert [bool(decision.holds) for decision in unknown] == [False, True]
    assert [phase_of(decision.conditions, False) for decision in unknown] == [Phase.UNKNOWN, Phase.UNKNOWN]
    assert unknown[1].memory == stopped


def test_an_alert_says_all_a_person_needs() -> None:
    """Whoever is woken by it knows which stack, how much, and of what."""
    action = look(budget(notify=[{"webhook": "https://example.org/a"}]), spent(100.5)).actions[0]
    assert isinstance(action, Ensure)

    text = "digits: budget/month: 50% of 200.00 USD is spent in 2026-11 (100.50)"
    details = {
        "budget": "digits:budget/month", "period": "2026-11", "alert": "spent", "share": "50%",
        "limit": "200.00 USD", "spent": "100.500000 USD", "reserved": "0.000000 USD", "forecast": "0.000007 USD",
        "then": "alert",
    }  # fmt: skip
    assert action.body == NoticeBody(text, details, Channel.WEBHOOK, "https://example.org/a")


LATE = {
    "nothing was sent": ((), "120.00 of 200.00 USD spent in 2026-11"),
    "it arrived": ((notice(Present(NoticeFacts(1.0, True))),), "120.00 of 200.00 USD spent in 2026-11"),
    "nobody knows": ((notice(Unknown()),), "120.00 of 200.00 USD spent in 2026-11"),
    "the webhook is deaf": (
        (notice(Present(NoticeFacts(1.0, False))),),
        "120.00 of 200.00 USD spent in 2026-11; 1 alert has not been delivered yet",
    ),
    "one is deaf and one refused": (
        (
            notice(Present(NoticeFacts(1.0, False, "the webhook answered 500"))),
            notice(Absent(), "2026-11.200000000-0.4", refusal="disk full"),
        ),
        "120.00 of 200.00 USD spent in 2026-11; 2 alerts have not been delivered yet"
        " (disk full; the webhook answered 500)",
    ),
    "it was for a day of the month": (
        (notice(Present(NoticeFacts(1.0, False)), "2026-11-26.200000000-0.5"),),
        "120.00 of 200.00 USD spent in 2026-11",
    ),
}


@pytest.mark.parametrize("case", LATE)
def test_an_alert_that_did_not_arrive_is_seen(case: str) -> None:
    """Silence from a webhook looks like a quiet month."""
    things, text = LATE[case]

    assert look(budget(), spent(120), *things).conditions[0].message == text


def test_a_refused_alert_is_said_again() -> None:
    """A full disk is cleared one day, and the alert is still news."""
    refused = notice(Absent(), refusal="disk full")

    (again,) = look(budget(alert_at=["50%"]), spent(120), refused).actions

    assert isinstance(again, Ensure)
    assert again.again


def test_an_alert_goes_where_the_file_says_now() -> None:
    """Whoever mends a mistyped webhook gets the alert, whoever is taken out is not tried for ever, and a line that
    moved in the file is not told twice."""
    wrong, right, mail = {"webhook": "https://exmaple.org"}, {"webhook": "https://example.org"}, {"slack": "door"}
    told = alerts(look(budget(alert_at=["50%"], notify=[wrong, mail]), spent(101)))
    things = [notice(Present(NoticeFacts(1.0, False, "its name is not known")), told[0])]
    things.append(notice(Present(NoticeFacts(1.0, True)), told[1]))

    mended = look(budget(alert_at=["50%"], notify=[mail, right]), spent(101), *things)

    assert alerts(mended)[0] == told[1]
    assert alerts(mended)[1] not in told
    assert [action for action in mended.actions if isinstance(action, Release)] == [Release(told[0])]


def test_another_then_is_told_while_the_limit_is_spent() -> None:
    """A service that stands still although the story says that only new ones are kept from beginning is a riddle."""
    blocked = look(budget(then="block", alert_at=[]), spent(210))
    drained = look(budget(then="drain", alert_at=[]), spent(210), memory=blocked.memory)
    still = look(budget(then="drain", alert_at=[]), spent(210), memory=drained.memory)

    assert [events(decision) for decision in (blocked, drained, still)] == [["budget.block"], ["budget.drain"], []]


def test_old_alerts_are_cleared_away_once_they_arrived() -> None:
    """Three a month for years would be looked at every two seconds; what nobody has got yet is kept."""
    arrived = notice(Present(NoticeFacts(1.0, True)), "2026-10.200000000-0.5")
    deaf = notice(Present(NoticeFacts(1.0, False)), "2026-10.200000000-0.8")
    unknown = notice(Unknown(), "2026-10.200000000-0.9")
    refused = notice(Absent(), "2026-10.200000000-1", refusal="disk full")
    going = replace(unknown, part="2026-10.200000000-0.1", is_released=True)

    decision = look(budget(), spent(0), arrived, deaf, unknown, refused, going)

    assert decision.actions == (Release(arrived.part), Release(refused.part), Release(going.part))


def test_a_budget_goes_away_with_its_alerts_and_its_stop() -> None:
    """Without a budget nothing is held; its notices are no orphans."""
    stopped = look(budget(then="stop"), spent(210)).memory

    going = look(None, spent(210), notice(Unknown()), memory=stopped)
    unanswered = look(None, spent(210), replace(notice(Absent()), is_accepted=False), memory=stopped)
    gone = look(None, spent(210), notice(Absent()), memory=stopped)

    assert going.actions == (Release("2026-11.200000000-0.5"),)
    assert (going.holds, going.memory) == ((), stopped)
    assert unanswered.actions == going.actions
    assert gone.forget


CHECKED = {
    "it will be passed, then stop": (budget(then="stop", limit="5 USD"), Severity.FATAL, "everything that spends"),
    "it will be passed, then an alert": (budget(limit="5 USD"), Severity.FATAL, "then there is an alert"),
    "it says only to warn": (budget(limit="5 USD", above="warn"), Severity.WARN, "then there is an alert"),
    "it is in another currency": (budget(limit="5 EUR"), Severity.FATAL, "cannot be compared"),
    "it is enough": (budget(limit="50 USD"), None, ""),
}


@pytest.mark.parametrize("case", CHECKED)
def test_the_plan_says_what_will_become_of_it(case: str) -> None:
    """Found before the first cent is spent."""
    spec, severity, text = CHECKED[case]

    other = {Ref("digits", "secret", "key"): Spec()}
    found = list(checks(Proposal({MONTH: spec, **other}, {}, monthly_micros=10 * MICROS)))

    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(text in finding.detail for finding in found)


def test_what_costs_no_more_than_before_is_never_refused() -> None:
    """Whoever is over a budget and saves half of it must not be kept from that; nor whoever was told, and allows it."""
    spec = budget(limit="5 USD")
    dear, cheaper = 10 * MICROS, 20 * MICROS

    saving = list(checks(Proposal({MONTH: spec}, {}, monthly_micros=dear, before_micros=cheaper)))
    allowed = list(checks(Proposal({MONTH: spec}, {}, monthly_micros=dear, may_pass=True)))

    assert [finding.severity for finding in (*saving, *allowed)] == [Severity.WARN, Severity.WARN]


FACTS = st.builds(NoticeFacts, st.just(1.0), st.booleans())
SPECS = st.sampled_from((budget(), budget(then="stop"), budget(limit="300 USD", alert_at=["10%"]), None))
SPENDS = st.none() | st.builds(spent, st.sampled_from((0, 100, 199, 250)), st.sampled_from(("2026-11", "2026-12")))


@settings(max_examples=200, deadline=None)
@given(moves(FACTS, SPECS, spends=SPENDS))
def test_whatever_happens_only_a_spent_limit_holds(history: list[Move]) -> None:
    """Never: an alert forgotten while it may be under way, a hold without a spent limit. Eventually: gone."""
    ours = History(KIND, MONTH)
    for move in history:
        decision = ours.move(move)
        is_spent = move.spec is not None and move.spend and move.spend.micros >= move.spec.limit.micros
        assert is_spent or not decision.holds or move.spend is None
    assert goes_away(ours)


def test_where_the_period_will_end_is_told_once_and_only_when_it_stands() -> None:
    """A job of five minutes at a high rate is no trend; a forecast that stands above the limit for as long is."""
    spec, memory, told = budget(alert_at=[], forecast_for="5m"), None, []
    for now, forecast in ((0.0, 300), (120.0, 100), (200.0, 300), (499.0, 300), (500.0, 300), (900.0, 300)):
        seen = replace(spent(10), forecast_micros=forecast * MICROS)
        decision = decide(Want(MONTH, spec, 1), View(now, {}, memory=memory, spend=seen))
        memory = decision.memory
        told.append(events(decision))

    assert told == [[], [], [], [], ["budget.alert"], []]


def test_it_looks_again_at_the_moment_when_the_limit_will_be_reached() -> None:
    """Two seconds at a high rate are more than nothing."""
    fast = replace(spent(199), rate_micros_per_hour=3600 * MICROS)
    soon = decide(Want(MONTH, budget(), 1), View(0.0, {}, spend=fast)).again_s
    assert (soon, look(budget(), spent(0)).again_s) == (1.0, 2.0)


REACHES: dict[str, tuple[dict[str, Any], Reach]] = {
    "its own stack": ({}, Reach("digits")),
    "a person, wherever": ({"user": "ann"}, Reach("", (("user", "ann"),))),
    "a team's part of a queue": (
        {"team": "vision", "queue": "shared:queue/gpu"}, Reach("", (("queue", "shared:queue/gpu"), ("team", "vision"))),
    ),
    "a tag": ({"having": {"project": "llm"}}, Reach("", (("project", "llm"),))),
}  # fmt: skip


@pytest.mark.parametrize("case", REACHES)
def test_whom_it_counts(case: str) -> None:
    """What is named is counted in every stack; what is not, is this one."""
    fields, reach = REACHES[case]
    assert limit_of(MONTH, budget(then="block", **fields)).reach == reach

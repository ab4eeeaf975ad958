"""A usage file puts better figures in the place of what a plan assumes, and says at once all that is wrong in it."""

import pytest

from weyr.core.assumptions import Assumed, Assumption, Measure, Origin, Past
from weyr.core.decision import Decision
from weyr.core.diagnostic import UserError
from weyr.core.kind import Estimate, Kind, Kinds, Layer
from weyr.core.ref import Ref
from weyr.core.schema import Spec, field
from weyr.stack.costs import Known, object_cost
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.usage import Usage, parse_usage
from weyr.stack.world import World


class FarmSpec(Spec):
    most: int = field(4)


def assumes(spec: FarmSpec, past: Past) -> tuple[Assumption, ...]:
    hours = 100.0 if past.observed_s == 0 else past.monthly(past.task_s) / 3600
    origin = Origin.MEASURED if past.observed_s else Origin.DEFAULT
    return (
        Assumption("replicas", Measure.COUNT, 1, 1, spec.most, Origin.STACK, at_most=spec.most),
        Assumption.sure("hours", Measure.HOURS, hours, origin, "over 10d"),
        Assumption.sure("stored", Measure.SIZE, 1024),
        Assumption.sure("duration", Measure.DURATION, 60),
    )


def estimate(_spec: FarmSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    return (Estimate("cow", 1_000_000, assumed["hours"] * assumed["replicas"]),)


FARM: Kind[FarmSpec, None] = Kind(
    "farm", "farms", Layer.COMPUTE, "A farm.", FarmSpec, lambda _w, _v: Decision(), estimate=estimate, assumes=assumes
)
PLAIN: Kind[Spec, None] = Kind("rock", "rocks", Layer.COMPUTE, "A rock.", Spec, lambda _w, _v: Decision())
KINDS: Kinds = {"farm": FARM, "rock": PLAIN}
HILL = Ref("s", "farm", "hill")
SPECS = {HILL: FarmSpec(), Ref("s", "rock", "big"): Spec()}


class Book:
    name, currency = "book", "USD"

    def monthly_micros(self, sku: str, quantity: int, hours: float, before: int = 0) -> int | None:
        return round(quantity * hours)

    def beside(self, _quantities: object) -> "Book":
        return self

    def tally(self, sku: str) -> str:
        return ""

    def tiers_text(self, sku: str, used: int, before: int) -> str:
        return ""


def usage(text: str) -> Usage:
    return parse_usage(text, "usage.yaml", "s", SPECS, KINDS)


def test_each_measure_is_written_as_people_write_it() -> None:
    """Sizes, durations and numbers as in the stack file; a range has two ends."""
    found = usage("farm/hill: {replicas: 2..4, hours: 200, stored: 5GiB, duration: 1h30m}")[HILL]

    assert {name: (figure.low, figure.high) for name, figure in found.items()} == {
        "replicas": (2, 4), "hours": (200, 200), "stored": (5 * 2**30, 5 * 2**30), "duration": (5400, 5400),
    }  # fmt: skip


def test_everything_that_is_wrong_is_said_at_once_with_its_line() -> None:
    """Nobody wants to mend a file one complaint at a time."""
    text = (
        "farm/hil: {hours: 1}\n"
        "rock/big: {hours: 1}\n"
        "farm/hill:\n"
        "  hour: 3\n"
        "  replicas: 9\n"
        "  stored: much\n"
        "  duration: 5m..1m\n"
        "  hours: 1,000\n"
    )

    with pytest.raises(UserError) as refused:
        usage(text)

    said = [(d.place.line if d.place else 0, d.summary, d.detail) for d in refused.value.diagnostics]
    assert [(line, summary) for line, summary, _ in said] == [
        (1, "Usage of an object that is not there"),
        (2, "Nothing to say of its usage"),
        (4, "Unknown field"),
        (5, "A value is out of range"),
        (6, "A value does not fit"),
        (7, "A value does not fit"),
        (8, "A value does not fit"),
    ]
    assert 'Did you mean "farm/hill"?' in said[0][2]
    assert 'Did you mean "hours"?' in said[2][2]
    assert "9 is more than 4" in said[3][2]
    assert "a size such as 500GB" in said[4][2]
    assert "'1,000' is not a number such as 100000" in said[6][2]


@pytest.mark.parametrize("text", ["", "# nothing yet", "farm/hill: 3", "- a\n- b", "farm/hill: {hours: true}"])
def test_a_file_without_figures_is_no_usage_file(text: str) -> None:
    """An empty file would be taken for one that changed something."""
    with pytest.raises(UserError):
        usage(text)


def cost_of(known: Known) -> tuple[int, tuple[int, int] | None, list[str]]:
    found = object_cost(HILL, FARM, None, SPECS[HILL], Book(), known)
    assert found is not None
    return found.after.micros, found.after.ends, [one.text for one in found.assumptions[:2]]


def test_a_file_beats_the_meters_and_they_beat_an_assumption() -> None:
    """Whoever knows what is coming knows more than the past does."""
    past = {HILL: Past(10 * 86_400, task_s=48 * 3600)}
    told = usage("farm/hill: {hours: 300}")

    assert cost_of(Known()) == (100_000_000, (100_000_000, 400_000_000), ["replicas 1 (1..4)", "hours 100 assumed"])
    assert cost_of(Known(past=past))[2][1] == "hours 146 measured (over 10d)"
    micros, ends, texts = cost_of(Known(past=past, usage=told))
    assert (micros, ends) == (300_000_000, (300_000_000, 1_200_000_000))
    assert texts[1] == "hours 300 from usage.yaml:1"


def test_a_range_is_reckoned_with_its_middle_and_shown_with_its_ends() -> None:
    """The bill is as likely above as below."""
    micros, ends, _ = cost_of(Known(usage=usage("farm/hill: {replicas: 2..4}")))

    assert (micros, ends) == (300_000_000, (200_000_000, 400_000_000))


def test_a_stack_file_may_say_it_itself() -> None:
    """What belongs to the stack stands where everybody who plans it finds it."""
    stack = parse_stack("stack: s\nfarms: {hill: }\nusage:\n  farm/hill: {hours: 10}\n", "weyr.yaml", KINDS)
    plan = make_plan(stack, World("s"), KINDS, Book(), known=Known(usage=stack.usage))

    assert plan.after.micros == 10_000_000
    with pytest.raises(UserError, match="does not depend"):
        parse_stack("stack: s\nfarms: {hill: }\nusage: {farm/hill: {cows: 10}}\n", "weyr.yaml", KINDS)

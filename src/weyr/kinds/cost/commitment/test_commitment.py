"""A commitment says what it costs and what it covers, and does nothing but count until its term ends."""

from datetime import UTC, datetime
from typing import Any

import pytest

from weyr.core.checking import Proposal
from weyr.core.commitments import FEE
from weyr.core.decision import Phase, View, Want, phase_of
from weyr.core.ref import Ref
from weyr.core.schema import ValidationError, from_plain
from weyr.kinds.cost.commitment import KIND
from weyr.kinds.cost.commitment.checks import checks
from weyr.kinds.cost.commitment.decide import decide
from weyr.kinds.cost.commitment.spec import CommitmentSpec
from weyr.kinds.cost.commitment.terms import coverage_of, fee_micros_per_hour, usage

FLOOR = Ref("shop", "commitment", "floor")
END = datetime(2027, 12, 1, tzinfo=UTC).timestamp()
PLAN = {
    "form": "savings_plan",
    "covers": ["aws/*"],
    "hourly": "0.8 USD",
    "discount": "20%",
    "term": "1y",
    "until": "2027-12-01",
}
MACHINES = {"form": "reserved_instances", "covers": ["aws/g5.xlarge"], "count": 3, "hourly": "0.6 USD", "term": "3y",
            "until": "2027-12-01"}  # fmt: skip


def commitment(written: dict[str, Any], **fields: Any) -> CommitmentSpec:
    told = {name: value for name, value in {**written, **fields}.items() if value is not None}
    spec: CommitmentSpec = from_plain(CommitmentSpec, told)
    return spec


def test_its_fee_has_a_part_of_what_was_paid_at_once() -> None:
    """Whoever paid beforehand pays no less for an hour: 8,760 at once for a year is one an hour."""
    assert fee_micros_per_hour(commitment(MACHINES)) == 1_800_000
    assert fee_micros_per_hour(commitment(PLAN, upfront="8760 USD")) == 1_800_000
    assert fee_micros_per_hour(commitment(PLAN, hourly=None, upfront="8760 USD")) == 1_000_000


def test_what_it_covers_is_more_than_it_costs_by_its_discount() -> None:
    """0.80 an hour at a fifth off pays for 1.00 on demand; three machines for three, whatever they cost."""
    plan, machines = coverage_of(FLOOR, commitment(PLAN)), coverage_of(FLOOR, commitment(MACHINES))
    assert plan.covered_micros_per_hour(None) == 1_000_000
    assert machines.covered_micros_per_hour(1_006_000) == 3_018_000
    assert machines.covered_micros_per_hour(None) is None
    assert plan.covers("aws/g5.xlarge", "task.cpu")
    assert not plan.covers("gcp/n2", "task.cpu")
    assert not plan.covers("aws/g5.xlarge", "task.cpu.spot")
    assert not plan.covers("aws/fargate", "storage.standard")


def test_it_is_ready_until_its_term_ends_and_done_then() -> None:
    """It asks nothing of any engine; it looks again at the moment of its end."""
    spec = commitment(PLAN)
    before = decide(Want(FLOOR, spec, 1), View(END - 10))
    assert (phase_of(before.conditions, False), before.again_s, before.actions) == (Phase.READY, 10, ())
    after = decide(Want(FLOOR, spec, 1), View(END))
    assert phase_of(after.conditions, False) is Phase.DONE
    assert decide(Want(FLOOR, None, 2), View(END)).forget


def test_its_fee_is_metered_though_nobody_holds_it() -> None:
    """It is owed whether anything runs or not; once it is taken out of the file it is counted no more."""
    (fee,) = usage(commitment(PLAN), {})
    assert (fee.sku, fee.quantity, fee.until) == (FEE, 800_000, END)
    assert fee.covers == coverage_of(FLOOR, commitment(PLAN))
    assert usage(None, {}) == ()
    assert not KIND.is_held


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no discount, so nobody knows what it covers": ({**PLAN, "discount": "0%"}, "A commitment without a discount"),
    "no price": ({**PLAN, "hourly": "0 USD"}, "A commitment without a price"),
    "another currency": ({**PLAN, "hourly": "1 EUR"}, "A commitment in another currency"),
    "a savings plan of machines": ({**PLAN, "covers": ["aws/g5.xlarge"], "discount": None, "count": 2},
                                   "A commitment of another form"),
    "machines of several types": ({**MACHINES, "covers": ["aws/*"]}, "Machines of several types"),
    "machines with a discount": ({**MACHINES, "discount": "20%"}, "A commitment said twice"),
    "reserved, but how many": ({**MACHINES, "count": None, "discount": "20%"}, "A commitment of no machines"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_reckoned_with_is_refused(case: str) -> None:
    """A commitment that is half said would cover too much or too little, quietly."""
    written, summary = REFUSED[case]
    found = list(checks(Proposal({FLOOR: commitment(written)}, {})))
    assert [finding.summary for finding in found] == [summary]


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="is not a day"):
        commitment(PLAN, until="2027-02-30")


def test_what_is_said_well_is_not_refused() -> None:
    specs = {FLOOR: commitment(PLAN), Ref("shop", "commitment", "gpus"): commitment(MACHINES)}
    assert list(checks(Proposal(specs, {}))) == []

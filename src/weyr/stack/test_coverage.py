"""A plan shows what commitments pay: what is covered at its effective price, and what of each nobody uses."""

from dataclasses import replace

from weyr.core.commitments import Coverage, Form
from weyr.core.metering import Account
from weyr.core.ref import Ref
from weyr.ledger.commitments import Terms
from weyr.ledger.prices import Catalogue
from weyr.stack.candidates import compared
from weyr.stack.coverage import Covered, with_commitments
from weyr.stack.steps import Amount, CostLine, ObjectCost

BOOK = Catalogue.shipped().book("aws/fargate")
LAB = Ref("lab", "commitment", "floor")
FLOOR, WEB, TRAIN = Ref("shop", "commitment", "floor"), Ref("shop", "service", "web"), Ref("shop", "job", "train")
CPU_MICROS = 40_480
VCPU = Coverage(Form.SAVINGS_PLAN, CPU_MICROS * 4 // 5, ("aws/*",), 0, 200_000)
"""One vCPU's worth, for a fifth less."""


def cost(ref: Ref, vcpus: int, hours: float) -> ObjectCost:
    micros = round(CPU_MICROS * vcpus * hours)
    return ObjectCost(ref, Amount(), Amount(micros), lines=(CostLine("task.cpu", vcpus * 1000, hours, micros),))


def fee() -> ObjectCost:
    return ObjectCost(FLOOR, Amount(), Amount(VCPU.fee_micros_per_hour * 730))


def planned(*costs: ObjectCost) -> dict[Ref, ObjectCost]:
    return {each.ref: each for each in with_commitments([fee(), *costs], {}, {}, {FLOOR: VCPU}, BOOK)}


def test_what_is_covered_costs_what_the_commitment_does() -> None:
    """Two vCPUs all month of which one is covered: half at a fifth less, and nothing of the fee is left over."""
    found = planned(cost(WEB, 2, 730))
    assert found[WEB].after.micros == round(CPU_MICROS * 730 * 1.8)
    assert found[FLOOR].after.micros == 0
    assert found[WEB].notes == ("29.55 of 59.10 on demand covered by commitment/floor for 23.64",)
    use = found[FLOOR].commitment
    assert use is not None
    assert (use.utilisation, use.coverage) == (1.0, 0.5)
    assert found[FLOOR].notes == ("23.64 a month, of which 100% is used; it covers 50% of the 59.10 that it could",)


def test_what_nobody_uses_of_it_stays_its_own_cost() -> None:
    """A job of 73 hours uses a tenth of a commitment; the other nine are paid for nothing, and the plan says so."""
    found = planned(cost(TRAIN, 1, 73))
    assert found[TRAIN].after.micros == VCPU.fee_micros_per_hour * 73
    assert found[FLOOR].after.micros == VCPU.fee_micros_per_hour * 657
    use = found[FLOOR].commitment
    assert use is not None
    assert (use.utilisation, use.coverage) == (0.1, 1.0)


def test_what_may_run_at_the_same_time_is_taken_to() -> None:
    """Two jobs of a hundred hours could have it one after the other; a plan does not count on that."""
    found = planned(cost(TRAIN, 1, 100), cost(WEB, 1, 100))
    use = found[FLOOR].commitment
    assert use is not None
    assert use.covered_micros == CPU_MICROS * 100
    assert found[TRAIN].after == found[WEB].after


def test_the_total_is_what_was_paid_whoever_it_counts_for() -> None:
    """What a commitment pays is moved and not made: the sum is the fee, and on demand what it does not cover."""
    costs = (cost(TRAIN, 3, 41), cost(WEB, 1, 730))
    found = planned(*costs)
    use = found[FLOOR].commitment
    assert use is not None
    paid = sum(each.after.micros for each in (fee(), *costs)) - use.covered_micros
    assert sum(each.after.micros for each in found.values()) == paid


def test_what_another_stack_leaves_of_its_commitment_is_in_the_plan() -> None:
    """Its fee is paid there; here stands the part of it that goes with what it covers, and on whom that depends."""
    lab = Terms(replace(VCPU, is_shared=True), VCPU.fee_micros_per_hour, CPU_MICROS, Account(LAB), 0)
    found = with_commitments([cost(WEB, 2, 730)], {}, {}, {}, BOOK, [lab])[0]
    assert found.after.micros == round(CPU_MICROS * 730 * 1.8)
    assert found.notes == (
        "29.55 of 59.10 on demand covered by lab:commitment/floor for 23.64, as long as lab leaves that of it",
    )


def test_another_way_is_compared_by_what_all_then_costs() -> None:
    """What one object leaves of a commitment another one uses; where none does, it is paid for nothing."""
    line = CostLine("task.cpu.spot", 1000, 730, 10_000_000)
    both = {WEB: cost(WEB, 1, 730).lines, TRAIN: cost(TRAIN, 1, 730).lines}
    shared_out = Covered(both, {FLOOR: VCPU}, (), BOOK).instead(WEB, (line,), BOOK.name)
    alone = Covered({WEB: both[WEB]}, {FLOOR: VCPU}, (), BOOK).instead(WEB, (line,), BOOK.name)
    assert shared_out == (10_000_000, 10_000_000 - CPU_MICROS * 730)
    assert alone == (10_000_000, 10_000_000)
    assert compared((line,), BOOK.name, Amount(23_640_320), lambda *_: alone)[1] == (
        "10.00 more in all, as 23.64 of commitments is for nothing then"
    )


def test_a_stack_at_other_prices_has_nothing_of_it() -> None:
    """It pays for what it names; the plan says that nothing here is that."""
    other = replace(BOOK, name="gcp/n2-standard-4")
    found = {each.ref: each for each in with_commitments([fee(), cost(WEB, 1, 730)], {}, {}, {FLOOR: VCPU}, other)}
    assert found[WEB].after.micros == CPU_MICROS * 730
    assert "nothing in this stack is what it covers" in found[FLOOR].notes[0]

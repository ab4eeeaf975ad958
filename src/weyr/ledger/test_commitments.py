"""What a commitment pays for in an hour: all of it, no more than it, and the same in whichever order it is asked."""

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from weyr.core.commitments import Coverage, Form
from weyr.core.metering import Account, Meter, Price
from weyr.core.ref import Ref, ThingId
from weyr.ledger.commitments import HOUR_MS, Cover, Key, Terms, Use, covers_of, difference, hours_of, left_for, postings

HOUR = 500_000 * HOUR_MS
BOOKS = ("aws/a", "aws/b", "gcp/c")


def terms(fee: int, covered: int, name: str = "floor", machines: int = 0, **fields: object) -> Terms:
    books = (BOOKS[0],) if machines else ("aws/*",)
    coverage = Coverage(Form.SAVINGS_PLAN, fee, books, machines, 0, bool(fields.get("shared")))
    return Terms(coverage, fee, covered, Account(Ref("shop", "commitment", name)), 0)


def use(micros: int, name: str = "train", book: str = "aws/a", stack: str = "shop") -> Use:
    return Use(Key(Account(Ref(stack, "job", name)), "1", "task.cpu", book), micros, micros * 7)


USES = st.lists(
    st.builds(use, st.integers(-50, 3_000_000), st.sampled_from("abcd"), st.sampled_from(BOOKS),
              st.sampled_from(["shop", "lab"])),
    max_size=8,
    unique_by=lambda each: each.key,
)  # fmt: skip
TERMS = st.lists(
    st.builds(
        terms, st.integers(1, 900_000), st.integers(1, 2_000_000), st.sampled_from("xyz"), st.sampled_from([0, 2]),
        shared=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda each: each.ref,
)  # fmt: skip


@settings(max_examples=200)
@given(USES, TERMS, st.randoms(use_true_random=False))
def test_nobody_has_more_than_he_used_and_no_commitment_pays_more_than_it_covers(
    uses: list[Use], stood: list[Terms], chance: Random
) -> None:
    """Whatever is used, in whichever order it is given: the same parts, which add up exactly."""
    found = covers_of(uses, stood, HOUR)
    chance.shuffle(uses)
    chance.shuffle(stood)
    assert covers_of(uses, stood, HOUR) == found
    for each in uses:
        mine = [cover for (_, key), cover in found.items() if key == each.key]
        assert sum(cover.micros for cover in mine) <= max(0, each.micros)
        assert all(cover.used <= max(0, each.used) for cover in mine)
    for one in stood:
        mine = [cover for (ref, _), cover in found.items() if ref == one.ref]
        taken, paid = sum(cover.micros for cover in mine), sum(cover.fee_micros for cover in mine)
        assert taken <= one.covered_micros_per_hour
        assert paid == one.fee_micros_per_hour * taken // one.covered_micros_per_hour


@settings(max_examples=200)
@given(USES, USES, TERMS)
def test_late_use_is_posted_as_the_difference_and_comes_to_the_same(
    early: list[Use], late: list[Use], stood: list[Terms]
) -> None:
    """What was posted and what is posted then are together what would have been posted at once."""
    before = covers_of(early, stood, HOUR)
    after = covers_of(late, stood, HOUR)
    step = difference(before, after)
    for each in {**before, **after}:
        was, more, now = (covers.get(each, Cover()) for covers in (before, step, after))
        assert was.micros + more.micros == now.micros
        assert was.fee_micros + more.fee_micros == now.fee_micros
    assert difference(after, after) == {}


@settings(max_examples=200)
@given(
    st.integers(0, 10 * HOUR_MS), st.integers(-3 * HOUR_MS, 30 * HOUR_MS), st.integers(-(10**9), 10**9),
    st.integers(0, 10**12),
)  # fmt: skip
def test_a_line_over_several_hours_is_cut_without_a_rest(from_ms: int, length: int, micros: int, used: int) -> None:
    """A line of a server that was away for a day counts for each hour of it, and for no micro-unit more."""
    parts = list(hours_of(from_ms, max(0, from_ms + length), micros, used))
    assert sum(part[1] for part in parts) == micros
    assert sum(part[2] for part in parts) == used
    assert len({part[0] for part in parts}) == len(parts)


@settings(max_examples=100)
@given(USES, TERMS)
def test_what_is_posted_moves_money_and_adds_none(uses: list[Use], stood: list[Terms]) -> None:
    """The shares of the fee come off the commitment's own row; the use that is covered is owed to nobody."""
    found = covers_of(uses, stood, HOUR)
    lines = [each.line for each in postings(found, {t.ref: t.account for t in stood}, {}, HOUR, HOUR)]
    assert sum(line.signed_micros for line in lines) == -sum(cover.micros for cover in found.values())
    for each in stood:
        assert sum(x.micros if x.credit == f"payable:{each.ref.absolute}" else -x.micros for x in lines
                   if f"payable:{each.ref.absolute}" in (x.credit, x.debit)) == 0  # fmt: skip


def test_machines_go_before_amounts_and_the_larger_discount_before_the_smaller() -> None:
    """As AWS does it: what can be used for one thing only is used first, and the rest where it saves most."""
    some = [use(1_000_000)]
    plain, dear, cheap = terms(80, 100, "x"), terms(90, 100, "y"), terms(99, 100, "z", machines=1)
    found = covers_of(some, [dear, plain, cheap], HOUR)
    assert [ref.name for ref, _ in found] == ["z", "x", "y"]


def test_a_commitment_that_began_within_an_hour_covers_its_part_of_it() -> None:
    """Bought at a quarter to, it pays for a quarter of the hour, and costs a quarter."""
    late = replace(terms(800, 1000), from_ms=HOUR + HOUR_MS * 3 // 4)
    assert late.in_hour(HOUR) == (250, 200)
    assert late.in_hour(HOUR - HOUR_MS) == (0, 0)


def test_a_stack_is_promised_what_others_leave_of_their_commitments() -> None:
    """What runs elsewhere goes first, what runs in the stack itself does not count; what is not shared is nobody's."""

    def running(stack: str, quantity: int) -> Meter:
        thing = ThingId(Ref(stack, "job", "j"), "1")
        return Meter(thing, "task.cpu", BOOKS[0], Price(1_000, 1, 3600), 0, quantity=quantity, run_since_ms=0)

    offered = replace(terms(800, 1_000_000, shared=True), account=Account(Ref("lab", "commitment", "floor")))
    private = replace(terms(800, 1_000_000), account=Account(Ref("lab", "commitment", "own")))

    left = left_for("shop", [running("lab", 250), running("shop", 900)], [offered, private])

    told = [(each.ref.name, each.covered_micros_per_hour, each.fee_micros_per_hour) for each in left]
    assert told == [("floor", 1_000_000 - 250_000, 600)]
    assert left_for("lab", [], [offered]) == ()
    assert left_for("shop", [running("lab", 2_000)], [offered]) == ()

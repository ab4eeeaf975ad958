"""The indices of the loop's world say what asking every object would say, whatever happened to the objects."""

from dataclasses import replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from weyr.core.capability import Capability
from weyr.core.decision import Hold
from weyr.core.reach import Reach
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Unknown
from weyr.reconcile.agenda import Agenda
from weyr.reconcile.world import World
from weyr.store.kernel import ObjectRow, Status, ThingRow

Change = ObjectRow | ThingRow | Ref | ThingId

REFS = [Ref(stack, "job", f"j{n}") for stack in ("first", "second") for n in range(5)]

objects = st.builds(
    lambda n, needs, is_leaving, holds: ObjectRow(
        ref=REFS[n],
        spec=None if is_leaving else "{}",
        generation=1,
        folder="",
        # Earlier ones only: no plan allows a circle.
        needs=tuple(sorted({REFS[need] for need in needs if need < n and REFS[need].stack == REFS[n].stack})),
        status=Status(holds=(Hold(REFS[n], "spent", reach=Reach(REFS[n].stack)),) if holds else ()),
    ),
    st.integers(0, len(REFS) - 1),
    st.lists(st.integers(0, len(REFS) - 1), max_size=4),
    st.booleans(),
    st.booleans(),
)
things = st.builds(
    lambda ref, part, is_accepted, refusal: ThingRow(
        ThingId(ref, part), Capability.TASKS, 1, None, Unknown(), is_accepted=is_accepted, refusal=refusal
    ),
    st.sampled_from(REFS),
    st.sampled_from(("1", "2")),
    st.booleans(),
    st.sampled_from(("", "no")),
)
drops = st.sampled_from(REFS)
drop_things = st.builds(lambda ref, part: ThingId(ref, part), st.sampled_from(REFS), st.sampled_from(("1", "2")))
changes = st.lists(st.one_of(objects, things, drops, drop_things), max_size=40)


def depth(world: World, ref: Ref) -> int:
    row = world.objects.get(ref)
    return 1 + max((depth(world, need) for need in row.needs), default=0) if row else 0


def change(world: World, what: Change) -> None:
    match what:
        case ObjectRow():
            world.put(what)
            world.due.put(what.ref, 0.0)
        case ThingRow():
            world.put_thing(what)
        case Ref() if what in world.objects:
            world.drop(what)
        case ThingId() if world.thing(what):
            world.drop_thing(what)


@given(changes)
def test_the_indices_say_what_a_search_through_everything_would(history: list[Change]) -> None:
    """A dependent that an index missed would lose what it needs; a hold that it missed would spend on."""
    world = World()
    for what in history:
        change(world, what)
        # Asked after every change: what an index remembers of before must not outlast it.
        rows = world.objects
        for ref in REFS:
            dependents = {other for other, row in rows.items() if ref in row.needs}
            assert set(world.dependents(ref)) == dependents
            assert world.is_blocked_removal(ref) == any(rows[other].spec is None for other in dependents)
            holding = [row for row in rows.values() if row.ref.stack == ref.stack and row.status.holds and row.spec]
            assert world.hold_on(ref) == (min(holding, key=lambda row: row.ref).status.holds[0] if holding else None)
            assert world._relations.depth(ref) == depth(world, ref)
        for stack in ("first", "second"):
            assert set(world.of_stack(stack)) == {ref for ref in rows if ref.stack == stack}
        every = [thing for parts in world.things.values() for thing in parts.values()]
        untold = {thing.id for thing in every if not thing.is_accepted and not thing.refusal}
        assert {thing.id for thing in world.untold()} == untold


def test_what_is_due_comes_after_what_it_needs() -> None:
    """An object decides by what those below it have just concluded."""
    world = World()
    last, middle, first = REFS[:3]
    rows = {last: (middle, first), middle: (first,), first: ()}
    for ref, needs in rows.items():
        world.put(ObjectRow(ref, "{}", 1, "", needs))
        world.due.put(ref, 0.0)

    assert world.take_due(1.0) == [first, middle, last]


def test_a_long_row_of_needs_has_an_order_too() -> None:
    """Ten thousand objects, each of which needs the one before."""
    world = World()
    row = [Ref("first", "job", f"j{n}") for n in range(10_000)]
    for n, ref in reversed(list(enumerate(row))):
        world.put(ObjectRow(ref, "{}", 1, "", tuple(row[n - 1 : n])))
        world.due.put(ref, 0.0)

    assert world.take_due(1.0) == row


moments = st.sampled_from([0.0, 1.0, 2.0, 3.0, 4.0])
entries = st.lists(st.tuples(st.sampled_from(REFS), st.sampled_from(("put", "advance", "drop", "take")), moments))


@given(entries)
def test_the_agenda_forgets_nobody_and_nothing_comes_early(history: list[tuple[Ref, str, float]]) -> None:
    """An object whose next look was lost would stand still for ever."""
    agenda, times = Agenda(), dict[Ref, float]()
    for ref, verb, at in history:
        match verb:
            case "put":
                agenda.put(ref, at)
                times[ref] = at
            case "advance":
                agenda.advance(ref, at)
                times[ref] = min(at, times.get(ref, inf))
            case "drop":
                agenda.drop(ref)
                times.pop(ref, None)
            case _:
                due = agenda.take(at)
                assert sorted(due) == sorted(other for other, when in times.items() if when <= at)
                times |= dict.fromkeys(due, inf)
        assert agenda.times == times
        assert agenda.next() == min((when for when in times.values() if when != inf), default=None)


def test_the_agenda_holds_no_more_than_what_is_to_come() -> None:
    """An object that is rung a million times stands in it once."""
    agenda = Agenda()
    for n in range(10_000):
        agenda.put(REFS[0], float(n))

    assert len(agenda._heap) < 100


def test_what_was_told_is_another_intention_once_it_changed() -> None:
    """Nothing is said a second time that was accepted, and everything that is new is said."""
    world = World()
    thing = ThingRow(ThingId(REFS[0], "1"), Capability.TASKS, 1, None, Absent())
    world.put_thing(thing)
    world.put_thing(replace(thing, is_accepted=True))
    assert world.untold() == []

    world.put_thing(replace(thing, is_released=True))

    assert [thing.is_released for thing in world.untold()] == [True]

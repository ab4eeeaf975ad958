"""References between objects: each leads somewhere, none in a circle."""

from typing import Annotated

import pytest

from weyr.core.decision import Decision
from weyr.core.diagnostic import UserError
from weyr.core.kind import Kind, Kinds, Layer
from weyr.core.ref import Ref
from weyr.core.schema import Reference, Spec, field, to
from weyr.stack.parse import parse_stack


class NodeSpec(Spec):
    """Something that can need others of its kind."""

    after: Annotated[Reference, to("node")] | None = field(None)
    others: tuple[Annotated[Reference, to("node")], ...] = field(())
    leaf: Annotated[Reference, to("leaf")] | None = field(None)
    ghost: Annotated[Reference, to("ghost")] | None = field(None)
    shared: Annotated[Reference, to("leaf", is_shared=True)] | None = field(None)


class LodgerSpec(Spec):
    """Something that needs what nobody wrote."""

    home: Annotated[Reference, to("leaf")] = field(Reference("leaf", "home"))


NODE: Kind[NodeSpec, None] = Kind("node", "nodes", Layer.COMPUTE, "A node.", NodeSpec, lambda _w, _v: Decision())
LEAF: Kind[Spec, None] = Kind("leaf", "leaves", Layer.COMPUTE, "A leaf.", Spec, lambda _w, _v: Decision())
LODGER: Kind[LodgerSpec, None] = Kind("lodger", "lodgers", Layer.COMPUTE, "", LodgerSpec, lambda _w, _v: Decision())
KINDS: Kinds = {"node": NODE, "leaf": LEAF, "lodger": LODGER}


def refused(text: str) -> list[tuple[int, str, str]]:
    """Line, ref and detail of each problem."""
    with pytest.raises(UserError) as e:
        parse_stack(f"stack: s\n{text}", "f", KINDS)
    return [(p.place.line if p.place else 0, p.ref, p.detail) for p in e.value.diagnostics]


def test_a_reference_is_a_need() -> None:
    """What is referred to comes first; naming it twice needs it once."""
    stack = parse_stack(
        "stack: s\nnodes: {a: {after: b, others: [b, node/c], leaf: l}, b: , c: }\nleaves: {l: }", "f", KINDS
    )

    needs = stack.objects[Ref("s", "node", "a")].needs

    assert [str(need) for need in needs] == ["node/b", "node/c", "leaf/l"]


def test_what_stacks_share_may_be_of_another_stack() -> None:
    """A team's queue is in a stack of its own; everything else is this stack's alone."""
    stack = parse_stack("stack: s\nnodes: {a: {shared: team:leaf/l}, b: {shared: team:l}}\n", "f", KINDS)

    specs = [item.spec for item in stack.objects.values()]
    assert [spec.shared.ref("s") for spec in specs if isinstance(spec, NodeSpec) and spec.shared] == [
        Ref("team", "leaf", "l")
    ] * 2
    assert refused("nodes: {a: {leaf: team:leaf/l}}\n") == [
        (2, "node/a", "leaf: 'team:leaf/l' is of another stack; a leaf has to be one of this stack.")
    ]


def test_an_object_cannot_need_itself() -> None:
    """The shortest circle gets a sentence of its own."""
    assert refused("nodes:\n  a: {after: a}\n") == [
        (3, "node/a", "after: node/a names itself; it cannot be there before it is there.")
    ]


def test_a_circle_is_spelled_out_at_one_of_its_references() -> None:
    """The reader sees the whole way round, and the line where it can be broken."""
    problems = refused("nodes:\n  c: {others: [a]}\n  a:\n    after: b\n  b: {after: c}\n  free: {after: a}\n")

    spelled = "node/a → node/b → node/c → node/a"
    assert problems == [
        (5, "node/a", f"after: each of these waits for the next: {spelled}. One of the references has to go.")
    ]


def test_a_circle_is_told_beside_other_problems() -> None:
    """All at once: mending one must not be what it takes to see the next."""
    problems = refused("nodes:\n  a: {after: b}\n  b: {after: a}\n  c: {after: d, others: [c]}\n")

    assert [(line, ref) for line, ref, _ in problems] == [(3, "node/a"), (5, "node/c"), (5, "node/c")]


def test_a_broken_object_can_still_be_referred_to() -> None:
    """One slip in `b` must not make every reference to it look wrong."""
    problems = refused("nodes:\n  a: {after: b}\n  b: {colour: red}\n")

    assert [ref for _, ref, _ in problems] == ["node/b"]


def test_a_broken_object_says_what_it_refers_to_in_vain() -> None:
    """All at once: a slip in one field hides nothing that is wrong with another."""
    problems = refused("nodes:\n  a: {after: b, colour: red}\nlodgers:\n  c: {home: [], x: 1}\n")

    assert [(line, detail.partition(".")[0]) for line, _, detail in problems] == [
        (3, "after: there is no node called 'b' in this stack"),
        (3, 'There is no field "colour"'),
        (5, "home: write the name of a leaf, such as leaf/example"),
        (5, 'There is no field "x"'),
    ]


def test_the_same_name_in_another_kind_is_pointed_out() -> None:
    """Names are per kind, which people forget."""
    problems = refused("nodes:\n  a: {leaf: b}\n  b:\nleaves:\n  bb:\n")

    told = "there is no leaf called 'b' in this stack. node/b exists, but a leaf is needed here."
    assert problems[0][2] == f'leaf: {told} Did you mean "bb"?'


def test_a_reference_to_a_kind_that_is_not_there_is_a_problem_and_no_crash() -> None:
    """A kind may refer to one that an installation lacks."""
    assert refused("nodes:\n  a: {ghost: x}\n") == [(3, "node/a", "ghost: there is no ghost called 'x' in this stack.")]


def test_a_reference_that_is_a_default_is_told_at_its_object() -> None:
    """Nobody wrote the field, so there is no line of its own to point at."""
    assert refused("lodgers:\n  a:\n") == [(3, "lodger/a", "home: there is no leaf called 'home' in this stack.")]

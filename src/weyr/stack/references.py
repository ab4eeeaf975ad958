"""Which objects does each object name, and do they exist? A reference means: that one first."""

from collections.abc import Collection, Iterator, Mapping

from weyr.core.diagnostic import Diagnostic, did_you_mean
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.core.schema import Reference, Spec, references_of
from weyr.stack.order import cycles
from weyr.stack.sentences import place_at
from weyr.stack.stack import Path, path_text
from weyr.stack.tree import Node

Needs = dict[Ref, tuple[Ref, ...]]
Objects = Mapping[Ref, tuple[Spec, Node]]

_CANDIDATES_MAX = 500
"""Names that a misspelt one is compared with; more would make a broken file slow to refuse."""


def needs_of(stack: str, objects: Objects, named: Collection[Ref], kinds: Kinds) -> tuple[Needs, list[Diagnostic]]:
    """What each object needs, and every reference that leads nowhere, to itself or in a circle."""
    problems: list[Diagnostic] = []
    needs: Needs = {}
    for ref, (spec, node) in objects.items():
        found: dict[Ref, None] = {}
        for path, reference in references_of(spec):
            problem = _problem_of(ref, path, reference, node, named, kinds)
            if problem is None:
                found[reference.ref(stack)] = None
            else:
                problems.append(problem)
        needs[ref] = tuple(found)
    problems.extend(_cycle_problems(objects, needs))
    return needs, problems


def _problem_of(
    ref: Ref, path: Path, reference: Reference, node: Node, named: Collection[Ref], kinds: Kinds
) -> Diagnostic | None:
    target = reference.ref(ref.stack)
    place, field = place_at(node, path), path_text(path)
    if target == ref:
        detail = f"{field}: {ref} names itself; it cannot be there before it is there."
        return Diagnostic("An object needs itself", detail, place=place, ref=str(ref))
    if target in named:
        return None
    others = sorted(str(other) for other in named if other.name == target.name)
    siblings = sorted(other.name for other in named if other.kind == target.kind)[:_CANDIDATES_MAX]
    hint = did_you_mean(target.name, siblings)
    if others:
        hint = f" {' and '.join(others)} exists, but a {target.kind} is needed here." + (hint if "Did" in hint else "")
    plural = kinds[target.kind].plural if target.kind in kinds else f"{target.kind}s"
    detail = f"{field}: there is no {target.kind} called {target.name!r} in this stack.{hint}"
    suggestion = f"{plural}: {{{target.name}: {{}}}}" if not siblings else ""
    return Diagnostic("Unknown object", detail, place=place, ref=str(ref), suggestion=suggestion)


def _cycle_problems(objects: Objects, needs: Needs) -> Iterator[Diagnostic]:
    for cycle in cycles({ref: [n for n in needed if n != ref] for ref, needed in needs.items()}):
        first, second = cycle[0], cycle[1]
        spec, node = objects[first]
        path = next(path for path, reference in references_of(spec) if reference.ref(first.stack) == second)
        spelled = " → ".join(str(ref) for ref in cycle)
        detail = f"{path_text(path)}: each of these waits for the next: {spelled}. One of the references has to go."
        yield Diagnostic("Objects need each other in a circle", detail, place=place_at(node, path), ref=str(first))

"""Which objects does each object name, and do they exist? A reference means: that one first."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from weyr.core.diagnostic import Diagnostic, did_you_mean
from weyr.core.kind import Kinds
from weyr.core.ref import Ref
from weyr.core.schema import Spec, references_of
from weyr.stack.order import cycles
from weyr.stack.sentences import place_at
from weyr.stack.stack import Path, path_text
from weyr.stack.tree import Node

Needs = dict[Ref, tuple[Ref, ...]]
Objects = Mapping[Ref, tuple[Spec, Node]]

_CANDIDATES_MAX = 200
"""Names that a misspelt one is compared with; against 5,000 a broken file took 85 s to refuse."""


@dataclass(slots=True)
class Linking:
    """What came of following every reference. `left_out` counts the problems there was no room for."""

    needs: Needs = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)
    left_out: int = 0


def linked(stack: str, objects: Objects, named: Collection[Ref], kinds: Kinds, room: int) -> Linking:
    """What each object needs, and every reference that leads nowhere, to itself or in a circle.

    Takes: `named`, everything that can be referred to; `room` for so many problems.
    """
    linking = Linking()
    names = _names_of(named)
    for ref, (spec, node) in objects.items():
        found: dict[Ref, None] = {}
        for path, reference in references_of(spec):
            target = reference.ref(stack)
            if target.stack != stack:
                continue  # who shares it is told by what is there when it is needed: stacks come and go on their own
            if target in named and target != ref:
                found[target] = None
            elif len(linking.problems) < room:
                linking.problems.append(_problem(ref, path, target, node, names, kinds))
            else:
                linking.left_out += 1
        linking.needs[ref] = tuple(found)
    linking.problems.extend(_cycle_problems(objects, linking.needs))
    return linking


def _problem(ref: Ref, path: Path, target: Ref, node: Node, names: Mapping[str, list[str]], kinds: Kinds) -> Diagnostic:
    place, where = place_at(node, path), path_text(path)
    if target == ref:
        detail = f"{where}: {ref} names itself; it cannot be there before it is there."
        return Diagnostic("An object needs itself", detail, place=place, ref=str(ref))
    siblings = names.get(target.kind, [])
    hint = did_you_mean(target.name, siblings[:_CANDIDATES_MAX])
    others = [f"{kind}/{target.name}" for kind, there in names.items() if target.name in there]
    if others:
        hint = f" {' and '.join(others)} exists, but a {target.kind} is needed here." + (hint if "Did" in hint else "")
    plural = kinds[target.kind].plural if target.kind in kinds else f"{target.kind}s"
    detail = f"{where}: there is no {target.kind} called {target.name!r} in this stack.{hint}"
    suggestion = f"{plural}: {{{target.name}: {{}}}}" if not siblings else ""
    return Diagnostic("Unknown object", detail, place=place, ref=str(ref), suggestion=suggestion)


def _names_of(named: Collection[Ref]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for ref in sorted(named):
        names.setdefault(ref.kind, []).append(ref.name)
    return names


def _cycle_problems(objects: Objects, needs: Needs) -> Iterator[Diagnostic]:
    for cycle in cycles(needs):
        first, second = cycle[0], cycle[1]
        spec, node = objects[first]
        path = next(path for path, reference in references_of(spec) if reference.ref(first.stack) == second)
        spelled = " → ".join(str(ref) for ref in cycle)
        detail = f"{path_text(path)}: each of these waits for the next: {spelled}. One of the references has to go."
        yield Diagnostic("Objects need each other in a circle", detail, place=place_at(node, path), ref=str(first))

"""In which order may objects begin? Levels of a dependency graph, and the cycles that forbid any order."""

from collections.abc import Collection, Mapping

from weyr.core.ref import Ref

Needs = Mapping[Ref, Collection[Ref]]
"""For each object those that it needs first. Needs outside the mapping are taken as there."""


def levels(needs: Needs) -> tuple[tuple[Ref, ...], ...]:
    """Groups of objects: each needs only earlier groups, and those of one group can begin together.

    Objects on a cycle, or behind one, are left out; `cycles` names them.
    """
    waiting = _within(needs)
    dependents: dict[Ref, list[Ref]] = {ref: [] for ref in waiting}
    for ref, needed in waiting.items():
        for need in needed:
            dependents[need].append(ref)
    groups: list[tuple[Ref, ...]] = []
    group = sorted(ref for ref, needed in waiting.items() if not needed)
    while group:
        groups.append(tuple(group))
        following: set[Ref] = set()
        for ref in group:
            for dependent in dependents[ref]:
                waiting[dependent].discard(ref)
                if not waiting[dependent]:
                    following.add(dependent)
        group = sorted(following)
    return tuple(groups)


def ordered(needs: Needs) -> tuple[Ref, ...]:
    """All levels one after the other."""
    return tuple(ref for group in levels(needs) for ref in group)


def cycles(needs: Needs) -> tuple[tuple[Ref, ...], ...]:
    """Cycles that share no object, each spelled out from its smallest object back to it.

    Gives: enough of them that the rest has an order once they are broken; () means there is one.
    """
    waiting = _within(needs)
    found: list[tuple[Ref, ...]] = []
    while True:
        # What remains after the ordered part is peeled off has a need inside the rest, every one of it.
        for ref in ordered(waiting):
            del waiting[ref]
        waiting = _within(waiting)
        if not waiting:
            return tuple(found)
        cycle = _walk(waiting)
        first = cycle.index(min(cycle))
        found.append((*cycle[first:], *cycle[:first], cycle[first]))
        for ref in cycle:
            del waiting[ref]


def _walk(waiting: dict[Ref, set[Ref]]) -> list[Ref]:
    """Follows first needs from the smallest object until one comes again."""
    path: dict[Ref, None] = {}
    ref = min(waiting)
    while ref not in path:
        path[ref] = None
        ref = min(waiting[ref])
    walked = list(path)
    return walked[walked.index(ref) :]


def _within(needs: Needs) -> dict[Ref, set[Ref]]:
    return {ref: {need for need in needed if need in needs} for ref, needed in needs.items()}

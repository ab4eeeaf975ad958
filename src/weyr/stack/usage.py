"""What do people say of the use that a stack will see? A usage file, or the `usage:` section of a stack file.

    job/train: {runs: 30, duration: 20m}
    endpoint/chat: {replicas: 2..6}
    bucket/lake: {stored: 500GB, reads: 20000000}

Each figure takes the place of what the plan would assume, be it measured or not. `2..6` is a range: the plan reckons
with its middle and shows its ends.
"""

from collections.abc import Collection, Iterator, Mapping

from weyr.core.assumptions import NO_PAST, Measure
from weyr.core.diagnostic import Diagnostic, Place, UserError, did_you_mean
from weyr.core.kind import AnyKind, Kinds
from weyr.core.ref import Ref
from weyr.core.schema import Spec
from weyr.core.units import bytes_of, seconds_of
from weyr.stack.sentences import INVALID, OUT_OF_RANGE, UNKNOWN, clipped, written
from weyr.stack.stack import Figure
from weyr.stack.tree import Node, tree_of

COUNT_MAX = 1e15
_UNKNOWN_OBJECT = "Usage of an object that is not there"


Usage = Mapping[Ref, Mapping[str, Figure]]
"""What was said, by object and by the name of the figure."""


def parse_usage(text: str, file: str, stack: str, specs: Mapping[Ref, Spec], kinds: Kinds) -> Usage:
    """A usage file's figures for these objects of a stack.

    Raises: UserError with every problem in the file, in the order of its lines.
    """
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines()):
        detail = (
            "There is nothing in this usage file. Write figures such as `job/train: {runs: 30}`, or leave --usage out."
        )
        raise UserError(Diagnostic("The file holds no figures", detail, place=Place(file)))
    root, problems = tree_of(text, file)
    if root.value is not None and not isinstance(root.value, dict):
        detail = f"A usage file holds objects with figures, such as `job/train: {{runs: 30}}`, not {written(root)}."
        raise UserError(*problems, Diagnostic("The file holds no figures", detail, place=root.place))
    usage, more = usage_of(root, stack, specs, kinds)
    if problems or more:
        raise UserError(
            *sorted([*problems, *more], key=lambda p: (p.place.line, p.place.column) if p.place else (0, 0))
        )
    return usage


def usage_of(
    root: Node, stack: str, specs: Mapping[Ref, Spec], kinds: Kinds, named: Collection[Ref] = ()
) -> tuple[Usage, list[Diagnostic]]:
    """The figures that stand under `root`, and what is wrong there. Of `named` objects whose spec is broken none."""
    found: dict[Ref, Mapping[str, Figure]] = {}
    problems: list[Diagnostic] = []
    if root.value is None:
        return {}, []
    if not isinstance(root.value, dict):
        detail = f"usage: here stand objects with figures, such as job/train: {{runs: 30}}, and not {written(root)}."
        return {}, [Diagnostic(INVALID, detail, place=root.place)]
    known = {str(ref): ref for ref in specs}
    for name, node in root.value.items():
        if name in known:
            ref = known[name]
            found[ref] = dict(_figures(ref, specs[ref], kinds[ref.kind], node, problems))
        elif name not in {str(ref) for ref in named}:
            detail = f'There is no "{clipped(name)}" in stack {stack}.{did_you_mean(name, known)}'
            problems.append(Diagnostic(_UNKNOWN_OBJECT, detail, place=root.keys[name]))
    return found, problems


def _figures(
    ref: Ref, spec: Spec, kind: AnyKind, node: Node, problems: list[Diagnostic]
) -> Iterator[tuple[str, Figure]]:
    assumptions = {one.name: one for one in (kind.assumes(spec, NO_PAST) if kind.assumes else ())}
    if not assumptions:
        problems.append(
            Diagnostic("Nothing to say of its usage", f"What {ref} costs depends on no figure.", place=node.place)
        )
        return
    if not isinstance(node.value, dict):
        names = ", ".join(assumptions)
        detail = f"Here stand figures of {ref} ({names}), and not {written(node)}."
        problems.append(Diagnostic(INVALID, detail, place=node.place, ref=str(ref)))
        return
    for name, entry in node.value.items():
        if name not in assumptions:
            detail = f'The cost of {ref} does not depend on "{clipped(name)}".{did_you_mean(name, assumptions)}'
            suggestion = f"{ref}: {{{', '.join(f'{known}: ...' for known in assumptions)}}}"
            problems.append(Diagnostic(UNKNOWN, detail, place=node.keys[name], ref=str(ref), suggestion=suggestion))
            continue
        assumption = assumptions[name]
        try:
            low, high = _ends(assumption.measure, entry)
        except ValueError as e:
            detail = f"{name}: {written(entry)} does not fit ({e}); write {assumption.measure.value}, or a range."
            problems.append(Diagnostic(INVALID, detail, place=entry.place, ref=str(ref)))
            continue
        if assumption.at_most is not None and high > assumption.at_most:
            detail = f"{name}: {high:,.15g} is more than {assumption.at_most:,.15g}, the most that there can be."
            problems.append(Diagnostic(OUT_OF_RANGE, detail, place=entry.place, ref=str(ref)))
            continue
        yield name, Figure(low, high, entry.place)


def _ends(measure: Measure, node: Node) -> tuple[float, float]:
    """Raises: ValueError."""
    if isinstance(node.value, bool) or not isinstance(node.value, str | int | float):
        raise ValueError("it is no amount")
    low, dots, high = str(node.value).partition("..")
    ends = _read(measure, low), _read(measure, high if dots else low)
    if ends[0] > ends[1]:
        raise ValueError("its first end is above its second")
    return ends


def _read(measure: Measure, text: str) -> float:
    match measure:
        case Measure.SIZE:
            return float(bytes_of(text))
        case Measure.DURATION:
            return seconds_of(text)
        case Measure.COUNT | Measure.HOURS:
            try:
                number = float(text.replace("_", ""))
            except ValueError:
                raise ValueError(f"'{text}' is not a number such as 100000") from None
            if not 0 <= number <= COUNT_MAX:
                raise ValueError("it is not between nothing and a quadrillion")
            return number


def _line(problem: Diagnostic) -> tuple[int, int]:
    return (problem.place.line, problem.place.column) if problem.place else (0, 0)

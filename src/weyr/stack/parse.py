"""What does a stack file ask for? Text → a `Stack` of typed specs, or every problem in it at once."""

from collections.abc import Collection, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field

from weyr.core.diagnostic import Diagnostic, Place, Severity, UserError, did_you_mean
from weyr.core.engine import LOCAL, ONLY_LOCAL, Engines, On
from weyr.core.kind import AnyKind, Kinds
from weyr.core.ref import NAME, Ref
from weyr.core.schema import Reference, Spec, ValidationError, from_plain
from weyr.stack.fields import shape_of
from weyr.stack.references import Needs, linked
from weyr.stack.sentences import INVALID, UNKNOWN, clipped, mistakes_of, sentence, written
from weyr.stack.stack import Path, Stack, StackObject
from weyr.stack.switches import switches_for_numbers
from weyr.stack.tree import Node, tree_of
from weyr.stack.usage import Usage, usage_of

PROBLEMS_MAX = 100
"""Problems shown at once; of the rest only the number is told."""

_NAME_RULE = "begins with a lower-case letter; up to 39 more of a-z, 0-9, - and _ follow"
_TOP = ("stack", "on", "price_as", "usage")


@dataclass(slots=True)
class _Reading:
    """A file being read: what was understood of it so far, and what is wrong."""

    file: str
    kinds: Kinds
    name: str = ""
    specs: dict[Ref, tuple[Spec, Node, Place]] = field(default_factory=dict)
    named: set[Ref] = field(default_factory=set)
    """Every object with a valid name, those with a broken spec included: references to them are no mistakes."""
    problems: list[Diagnostic] = field(default_factory=list)
    left_out: int = 0

    def say(self, summary: str, detail: str, place: Place, ref: str = "", suggestion: str = "") -> None:
        self.problems.append(Diagnostic(summary, detail, place=place, ref=ref, suggestion=suggestion))

    @property
    def is_full(self) -> bool:
        """Whether there are enough problems; looking for near words for thousands takes too long."""
        return len(self.problems) >= PROBLEMS_MAX


def parse_stack(
    text: str | bytes,
    file: str,
    kinds: Kinds,
    *,
    engines: Engines = ONLY_LOCAL,
    price_lists: Collection[str] = ("aws/fargate",),
) -> Stack:
    """The stack that a file's text asks for.

    Takes: `file` as it is to be shown in messages; `engines` that exist for `on:`, and the names
    that `price_as:` may have.
    Raises: UserError with every problem in the file, in the order of its lines.
    Promises: no other exception for any text; bounded time and memory.
    """
    root, problems = tree_of(text, file)
    reading = _Reading(file, kinds, problems=problems)
    if not isinstance(root.value, dict):
        detail = f"A stack file begins with fields such as `stack: digits`, and this one is {written(root)}."
        raise UserError(*problems, Diagnostic("The file holds no fields", detail, place=root.place))
    reading.name = _stack_name(reading, root)
    on = _engine(reading, root, engines)
    price_as = _choice(reading, root, "price_as", price_lists, "price list", "aws/fargate")
    _unknown_fields(reading, root)
    for kind in kinds.values():
        _section(reading, root, kind)
    needs = _linked(reading)
    usage = _usage(reading, root)
    if reading.problems:
        raise UserError(*_in_order(reading))
    objects = {ref: _object(reading, ref, needs) for ref in reading.specs}
    return Stack(reading.name, file, on, price_as, objects, _places(root, depth=1), usage)


def _stack_name(reading: _Reading, root: Node) -> str:
    node, place = _field(root, "stack")
    if node is None:
        detail = "The file does not say what the stack is called."
        reading.say("A field is missing", detail, Place(reading.file, 1), suggestion="stack: example")
        return "unnamed"
    if not isinstance(node.value, str) or not NAME.fullmatch(node.value):
        detail = f"{written(node)} cannot be a stack's name: it {_NAME_RULE}."
        reading.say("Not a name", detail, place, suggestion=_as_name("stack: ", node))
        return "unnamed"
    return node.value


def _choice(reading: _Reading, root: Node, name: str, known: Collection[str], what: str, default: str) -> str:
    """The value of a top-level field that has one of a few names."""
    node, place = _field(root, name)
    if node is None:
        return default
    if isinstance(node.value, str) and node.value in known:
        return node.value
    hint = did_you_mean(str(node.value), known)
    detail = f"{name}: {written(node)} is no {what} that exists now.{hint}"
    reading.say(f"Unknown {what}", detail, place, suggestion=f"{name}: {default}")
    return default


def _engine(reading: _Reading, root: Node, engines: Engines) -> On:
    """What stands under `on:`: an engine's name, or its name with its settings below it."""
    node, place = _field(root, "on")
    if node is None or not isinstance(node.value, dict):
        return On(_choice(reading, root, "on", engines, "engine", LOCAL))
    if len(node.value) != 1:
        detail = f"on: here stands one engine, and this names {len(node.value)}."
        reading.say(INVALID, detail, place, suggestion=f"on: {LOCAL}")
        return On()
    named = Node(place, {"on": Node(node.keys[name := next(iter(node.value))], name)}, {"on": node.keys[name]})
    engine = _choice(reading, named, "on", engines, "engine", LOCAL)
    if engine != name:
        return On()
    inside, kind = node.value[name], engines[engine]
    whole = Node(inside.place, {}) if inside.value is None else Node(inside.place, inside.value, inside.keys)
    if not isinstance(whole.value, dict):
        detail = f"on: here stand the settings of {engine}, and not {written(inside)}."
        reading.say(INVALID, detail, inside.place, suggestion=f"on: {engine}")
        return On()
    try:
        from_plain(kind.settings, whole.plain())
    except ValidationError as e:
        mistakes = mistakes_of(e, whole)
        reading.problems.extend(
            sentence(mistake, f"on: {engine}", whole, shape_of(kind.settings)) for mistake in mistakes
        )
        return On()
    plain = whole.plain()
    assert isinstance(plain, dict)
    return On(engine, plain)


def _unknown_fields(reading: _Reading, root: Node) -> None:
    plurals = {kind.plural for kind in reading.kinds.values()}
    known = {*_TOP, *plurals}
    for name, place in root.keys.items():
        if name in known:
            continue
        if reading.is_full:
            reading.left_out += 1
        elif name in reading.kinds:
            plural = reading.kinds[name].plural
            detail = f'There is no field "{name}"; the objects of this kind stand together under "{plural}".'
            reading.say(UNKNOWN, detail, place, suggestion=f"{plural}:")
        else:
            detail = f'There is no field "{clipped(name)}" in a stack.{did_you_mean(name, known)}'
            reading.say(UNKNOWN, detail, place)


def _section(reading: _Reading, root: Node, kind: AnyKind) -> None:
    """All objects of one kind. An empty section is a section without objects."""
    node, place = _field(root, kind.plural)
    if node is None or node.value is None:
        return
    if not isinstance(node.value, dict):
        detail = f"{kind.plural}: here stand names, each followed by its fields, and not {written(node)}."
        reading.say(INVALID, detail, place, suggestion=f"{kind.plural}: {{example: {{}}}}")
        return
    for name, entry in node.value.items():
        if NAME.fullmatch(name):
            ref = Ref(reading.name, kind.name, name)
            reading.named.add(ref)
            _read_spec(reading, ref, kind, entry, node.keys[name])
        else:
            named = Node(node.keys[name], name)
            detail = f"{written(named)} cannot be the name of a {kind.name}: it {_NAME_RULE}."
            reading.say("Not a name", detail, node.keys[name], suggestion=_as_name("", named))


def _read_spec(reading: _Reading, ref: Ref, kind: AnyKind, node: Node, place: Place) -> None:
    whole = Node(place, {}) if node.value is None else Node(place, node.value, node.keys)
    if not isinstance(whole.value, dict):
        detail = f"Here stand the fields of {ref}, and not {written(node)}."
        reading.say(INVALID, detail, place, str(ref), f"weyr explain {kind.name}")
        return
    shape = shape_of(kind.spec)
    try:
        spec = from_plain(kind.spec, whole.plain())
    except ValidationError as e:
        mistakes = mistakes_of(e, whole)
        for mistake in mistakes:
            if reading.is_full:
                reading.left_out += 1
            else:
                reading.problems.append(sentence(mistake, str(ref), whole, shape))
        _read_rest(reading, ref, kind, whole, {mistake.path[0] for mistake in mistakes if mistake.path})
    else:
        reading.specs[ref] = spec, whole, place
    reading.problems.extend(switches_for_numbers(str(ref), whole, shape))


def _read_rest(reading: _Reading, ref: Ref, kind: AnyKind, whole: Node, broken: Set[str | int]) -> None:
    """The spec without its broken fields, so that what its other fields refer to is looked at as well."""
    assert isinstance(whole.value, dict)
    fields = kind.spec.model_fields
    if any(isinstance(fields[name].default, Reference) for name in broken & fields.keys()):
        return  # nobody wrote what would stand there instead
    rest = {name: entry for name, entry in whole.value.items() if name not in broken}
    with suppress(ValidationError):  # a field that is needed is missing or broken: its references wait for it
        reading.specs[ref] = from_plain(kind.spec, Node(whole.place, rest, whole.keys).plain()), whole, whole.place


def _linked(reading: _Reading) -> Needs:
    """Which objects each object needs; says what is wrong with its references."""
    objects = {ref: (spec, node) for ref, (spec, node, _place) in reading.specs.items()}
    room = max(0, PROBLEMS_MAX - len(reading.problems))
    linking = linked(reading.name, objects, reading.named, reading.kinds, room)
    reading.problems.extend(linking.problems)
    reading.left_out += linking.left_out
    return linking.needs


def _usage(reading: _Reading, root: Node) -> Usage:
    """What the file says of the use that its objects will see."""
    node, _place = _field(root, "usage")
    if node is None:
        return {}
    specs = {ref: spec for ref, (spec, _node, _at) in reading.specs.items()}
    usage, problems = usage_of(node, reading.name, specs, reading.kinds, reading.named)
    reading.problems.extend(problems)
    return usage


def _object(reading: _Reading, ref: Ref, needs: Needs) -> StackObject:
    spec, node, place = reading.specs[ref]
    return StackObject(ref, spec, place, needs[ref], _places(node))


def _in_order(reading: _Reading) -> list[Diagnostic]:
    def line(problem: Diagnostic) -> tuple[int, int]:
        return (problem.place.line, problem.place.column) if problem.place else (0, 0)

    problems = sorted(dict.fromkeys(reading.problems), key=line)
    if reading.left_out or len(problems) > PROBLEMS_MAX:
        more = reading.left_out + max(0, len(problems) - PROBLEMS_MAX)
        detail = f"{more:,} more are not shown; mend these first."
        problems = problems[:PROBLEMS_MAX]
        problems.append(Diagnostic("Too many problems to show", detail, Severity.INFO, Place(reading.file)))
    return problems


def _field(root: Node, name: str) -> tuple[Node | None, Place]:
    assert isinstance(root.value, dict)
    return root.value.get(name), root.keys.get(name, root.place)


def _as_name(before: str, node: Node) -> str:
    """The written word made into a name, where little is lacking; nothing otherwise."""
    word = str(node.value).strip().lower().replace(" ", "-").replace(".", "-")
    return f"{before}{word}" if NAME.fullmatch(word) else ""


def _places(node: Node, depth: int = 64) -> Mapping[Path, Place]:
    """The place of every path below a node."""
    found: dict[Path, Place] = {}
    waiting: list[tuple[Path, Node]] = [((), node)]
    children: list[tuple[str | int, Node, Place]]
    while waiting:
        path, inside = waiting.pop()
        match inside.value:
            case dict() as entries:
                children = [(part, entry, inside.keys[part]) for part, entry in entries.items()]
            case list() as items:
                children = [(index, entry, entry.place) for index, entry in enumerate(items)]
            case _:
                continue
        for part, entry, place in children:
            found[(*path, part)] = place
            if len(path) + 1 < depth:
                waiting.append(((*path, part), entry))
    return found

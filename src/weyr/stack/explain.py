"""What may I write here? The reference of a kind or of one field, from the spec itself."""

from collections.abc import Iterator

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.kind import AnyKind, Kinds
from weyr.stack.fields import Shape, shape_of, value_text
from weyr.stack.render import line_text
from weyr.stack.stack import Path, path_text
from weyr.stack.style import Line, Style, Token

TOP_LEVEL = {
    "stack": "The stack's name; it stands before every object's address.",
    "on": "The engine that its tasks run on, by name, or with its settings below the name; by default local.",
    "usage": "What use its plans reckon with, by object: bucket/lake: {stored: 500GB}; by default what was measured.",
    "price_as": "The price list by which it is priced, one of AWS's also by region (aws/fargate/eu-west-1); by default "
    "aws/fargate.",
}
"""The fields of a stack file that belong to no kind."""


def explain(what: str, kinds: Kinds) -> tuple[Line, ...]:
    """The reference of `bucket`, `job.checkpoint.every`, `stack`; of everything if `what` is empty.

    Takes: a kind by either of its names, then fields with dots between; `lifecycle[0].prefix` is
    understood as `lifecycle.prefix`, and `job/run` as `job.run`.
    Raises: UserError with the nearest name.
    """
    names = (
        [part.partition("[")[0] for part in what.strip().strip("./").replace("/", ".").split(".")]
        if what.strip()
        else []
    )
    if not names:
        return tuple(_everything(kinds))
    if names[0] in TOP_LEVEL and len(names) == 1:
        return (_heading(names[0]), _text(TOP_LEVEL[names[0]]))
    kind = _kind(names[0], kinds)
    if len(names) == 1:
        return tuple(_of_kind(kind))
    path, shape = _found(kind, names[1:])
    return tuple(_of_field(kind, path, shape))


def explain_text(what: str, kinds: Kinds) -> str:
    """As `explain`, as plain text ending in a newline."""
    return "".join(f"{line_text(line)}\n" for line in explain(what, kinds))


def _everything(kinds: Kinds) -> Iterator[Line]:
    yield _heading("A stack file has these fields:")
    entries = {**TOP_LEVEL, **{kind.plural: kind.summary for kind in kinds.values()}}
    yield from _table(entries)
    yield ()
    yield _text("weyr explain KIND, or KIND.FIELD, says more.")


def _of_kind(kind: AnyKind) -> Iterator[Line]:
    yield _heading(kind.name)
    yield _text(kind.summary)
    yield ()
    yield _text(f"Written under `{kind.plural}:`, a name and then these fields:")
    yield from _fields(shape_of(kind.spec))
    if kind.replaces:
        yield ()
        yield _text(f"Removed and made anew when these change: {', '.join(sorted(kind.replaces))}.")


def _of_field(kind: AnyKind, path: Path, shape: Shape) -> Iterator[Line]:
    yield _heading(f"{kind.name}.{path_text(path)}")
    if shape.description:
        yield _text(shape.description)
    yield ()
    yield from _table(dict(_facts(kind, path, shape)))
    if shape.parts():
        yield ()
        yield _text("Its fields:" if shape.fields() else "The fields of each entry:")
        yield from _fields(shape)


def _facts(kind: AnyKind, path: Path, shape: Shape) -> Iterator[tuple[str, str]]:
    yield "write", shape.words()
    parent = shape_of(kind.spec).at(path[:-1])
    if parent and path[-1] in parent.needed():
        yield "needed", "yes"
    elif shape.has_default:
        yield "default", default_text(shape)
    if shape.bounds():
        yield "allowed", ", ".join(shape.bounds())
    if shape.example:
        yield "example", shape.example
    if path[0] in kind.replaces:
        yield "change", f"the {kind.name} is removed and made anew"


def default_text(shape: Shape) -> str:
    """What holds where nothing is written, as it would be written."""
    if isinstance(shape.default, dict) and shape.fields():
        return "as its fields say"
    return value_text(shape, shape.default) if shape.default not in (None, "", [], {}) else "none"


def _fields(shape: Shape) -> Iterator[Line]:
    needed = shape.needed()
    entries = {
        name: f"{field.description}{' Needed.' if name in needed else ''}" for name, field in shape.parts().items()
    }
    yield from _table(entries)


def _found(kind: AnyKind, names: list[str]) -> tuple[Path, Shape]:
    """Follows names through groups, lists and mappings of the spec."""
    shape = shape_of(kind.spec)
    path: Path = ()
    for name in names:
        inside = shape.parts()
        field = inside.get(name)
        if field is None:
            where = f"{kind.name}.{path_text(path)}" if path else kind.name
            detail = f'There is no field "{name}" in {where}.{did_you_mean(name, inside)}'
            raise UserError(Diagnostic("Unknown field", detail, suggestion=f"weyr explain {where}"))
        shape, path = field, (*path, name)
    return path, shape


def _kind(name: str, kinds: Kinds) -> AnyKind:
    for kind in kinds.values():
        if name in (kind.name, kind.plural):
            return kind
    known = [*TOP_LEVEL, *kinds]
    detail = f'There is nothing called "{name}" in a stack file.{did_you_mean(name, known)}'
    raise UserError(Diagnostic("Unknown kind", detail, suggestion="weyr explain"))


def _table(entries: dict[str, str]) -> Iterator[Line]:
    width = max((len(name) for name in entries), default=0)
    for name, text in entries.items():
        yield (Token(f"  {name:<{width}}  ", Style.HEADING), Token(text))


def _heading(text: str) -> Line:
    return (Token(text, Style.HEADING),)


def _text(text: str) -> Line:
    return (Token(text),)

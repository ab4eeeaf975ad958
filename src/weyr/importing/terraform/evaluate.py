"""What is an expression's value where it stands? The tree of `syntax` in, plain values out.

What is only known after an apply is `Unknown`, and whatever is made from it is unknown too, with the same refs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.terraform.functions import FUNCTIONS, text_of
from weyr.importing.terraform.parse import parse_template
from weyr.importing.terraform.syntax import (
    SPLAT_ELEMENT,
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    For,
    Index,
    Literal,
    Mapped,
    Name,
    Sequence,
    Splat,
    Template,
    Unary,
)
from weyr.ledger.terraform.resources import Sourced, Unknown

MISFIT = "A value does not fit"
"""The summary of what we could not compute. Terraform may: it is told, and what comes of it is unknown."""


class Names(Protocol):
    """Who knows the roots: variables, locals, resources, modules. Raises: UserError for what nobody declared."""

    def value(self, path: tuple[str, ...]) -> tuple[Any, int]:
        """The value at the longest beginning of `path` that is one thing, and how many names that took."""
        ...

    def read(self, path: str) -> str | None:
        """The text of a file beside the module; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Scope:
    """`names`, with what loops and iterators name in front of it."""

    names: Names
    near: Mapping[str, Any] = field(default_factory=dict)

    def with_names(self, near: Mapping[str, Any]) -> "Scope":
        return Scope(self.names, {**self.near, **near})


def evaluate(expression: Expression, scope: Scope) -> Any:
    """The value: str, int, Decimal, bool, None, list, dict or Unknown. Raises: UserError."""
    match expression:
        case Literal(value):
            return value
        case Name() | Attribute():
            return _traversed(expression, scope)
        case Index(of, key):
            return _item(evaluate(of, scope), evaluate(key, scope))
        case Splat(of, each):
            return _splat(evaluate(of, scope), each, scope)
        case Call(function, arguments, spreads_last):
            return _called(function, arguments, spreads_last, scope)
        case Unary(operator, operand):
            return _unary(operator, evaluate(operand, scope))
        case Binary(operator, left, right):
            return _binary(operator, left, right, scope)
        case Conditional(test, yes, no):
            chosen = evaluate(test, scope)
            if isinstance(chosen, Unknown):
                return chosen
            return evaluate(yes if chosen in (True, "true") else no, scope)
        case Sequence(items):
            return [evaluate(item, scope) for item in items]
        case Mapped(items):
            pairs = [(evaluate(key, scope), evaluate(value, scope)) for key, value in items]
            return {text_of(key): value for key, value in pairs if not isinstance(key, Unknown)}
        case For():
            return _loop(expression, scope)
        case Template(parts):
            return _template(parts, scope)


def _traversed(expression: Name | Attribute, scope: Scope) -> Any:
    names: list[str] = []
    at: Expression = expression
    while isinstance(at, Attribute):
        names.insert(0, at.name)
        at = at.of
    if not isinstance(at, Name):
        value = evaluate(at, scope)
    elif at.name in scope.near:
        value = scope.near[at.name]
    else:
        value, taken = scope.names.value((at.name, *names))
        names = names[taken - 1 :]
    for name in names:
        value = _item(value, name)
    return value


def _item(value: Any, key: Any) -> Any:
    if isinstance(value, Unknown):
        return value
    if isinstance(key, Unknown):
        return key
    if isinstance(value, Mapping):
        return value.get(text_of(key))
    if isinstance(value, list):
        try:
            index = int(key)
        except (TypeError, ValueError):
            # A block is a list of mappings, and `resource.block.name` is written as if it were the mapping.
            return _item(value[0], key) if len(value) == 1 else Unknown()
        return value[index] if 0 <= index < len(value) else Unknown()
    return Unknown()


class Made(Mapping[str, Any]):
    """A resource, a data source or a module as others see it: each argument is evaluated when it is asked for, so
    that two resources may name each other. What it does not say is known after the apply, and so is what asks
    for itself."""

    __slots__ = ("_making", "_values", "computes", "refs")

    def __init__(self, making: Mapping[str, Callable[[], Any]], refs: tuple[str, ...], computes: bool = False) -> None:
        """`computes`: what is null in it is made by the provider, as a resource's name is."""
        self._making, self.refs, self.computes = making, refs, computes
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._values:
            if key not in self._making:
                return Unknown(self.refs)
            self._values[key] = Unknown(self.refs)
            self._values[key] = self._making[key]()
        return self._values[key]

    def get(self, key: str, default: Any = None) -> Any:
        """As others see it."""
        value = self[key]
        if not self.computes:
            return value
        return Unknown(self.refs) if value is None else Sourced(value, self.refs) if isinstance(value, str) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._making)

    def __len__(self) -> int:
        return len(self._making)


def _splat(value: Any, each: Expression, scope: Scope) -> Any:
    if isinstance(value, Unknown):
        return value
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [evaluate(each, scope.with_names({SPLAT_ELEMENT: item})) for item in items]


def _called(function: str, arguments: tuple[Expression, ...], spreads_last: bool, scope: Scope) -> Any:
    if function in ("try", "can"):
        return _tried(function, arguments, scope)
    values = [evaluate(argument, scope) for argument in arguments]
    if spreads_last and values and isinstance(values[-1], list):
        values = [*values[:-1], *values[-1]]
    if function in ("file", "templatefile", "filebase64", "fileexists"):
        return _file(function, values, scope)
    known = FUNCTIONS.get(function)
    if known is None:
        return Unknown(_refs(values))
    if any(isinstance(value, Unknown) for value in values) and function not in ("coalesce", "merge", "length"):
        return Unknown(_refs(values))
    try:
        return known(*values)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        shown = ", ".join(str(value)[:40] for value in values)
        raise UserError(Diagnostic(MISFIT, f"`{function}({shown})` has no value: {error}.")) from error


def _tried(function: str, arguments: tuple[Expression, ...], scope: Scope) -> Any:
    for argument in arguments:
        try:
            value = evaluate(argument, scope)
        except UserError:
            continue
        if function == "can":
            return True
        if value is not None or argument is arguments[-1]:
            return value
    return False if function == "can" else None


def _file(function: str, values: list[Any], scope: Scope) -> Any:
    if not values or not isinstance(values[0], str) or function == "filebase64":
        return Unknown()
    text = scope.names.read(values[0])
    if function == "fileexists":
        return text is not None
    if text is None or function != "templatefile":
        return Unknown() if text is None else text
    given = values[1] if len(values) > 1 and isinstance(values[1], Mapping) else {}
    return evaluate(parse_template(text, values[0]), Scope(scope.names, dict(given)))


def _unary(operator: str, value: Any) -> Any:
    if isinstance(value, Unknown):
        return value
    return not _truth(value) if operator == "!" else -number_of(value)


def _binary(operator: str, left: Expression, right: Expression, scope: Scope) -> Any:
    one = evaluate(left, scope)
    if operator in ("&&", "||") and not isinstance(one, Unknown) and _truth(one) == (operator == "||"):
        return operator == "||"
    two = evaluate(right, scope)
    if isinstance(one, Unknown) or isinstance(two, Unknown):
        return Unknown(_refs([one, two]))
    if operator in ("&&", "||"):
        return _truth(two)
    if operator in ("==", "!="):
        return (one == two) == (operator == "==")
    return _ARITHMETIC[operator](number_of(one), number_of(two))


_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: _whole(Decimal(a) / Decimal(b)) if b else Unknown(),
    "%": lambda a, b: a % b if b else Unknown(),
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def _truth(value: Any) -> bool:
    return value is True or value == "true"


def number_of(value: Any) -> int | Decimal:
    """A number, also out of text. Raises: UserError."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    try:
        return _whole(Decimal(str(value)))
    except ArithmeticError:
        raise UserError(Diagnostic(MISFIT, f"`{value}` stands where a number is needed.")) from None


def _whole(value: Decimal) -> int | Decimal:
    return int(value) if value == value.to_integral_value() else value


def _loop(loop: For, scope: Scope) -> Any:
    of = evaluate(loop.of, scope)
    if isinstance(of, Unknown):
        return of
    pairs = list(of.items()) if isinstance(of, Mapping) else list(enumerate(of or []))
    listed: list[Any] = []
    mapped: dict[str, Any] = {}
    for key, value in pairs:
        near = {loop.value_name: value, **({loop.key_name: key} if loop.key_name else {})}
        inner = scope.with_names(near)
        if loop.test is not None and not _truth(evaluate(loop.test, inner)):
            continue
        made = evaluate(loop.value, inner)
        if loop.key is None:
            listed.append(made)
        elif isinstance(name := evaluate(loop.key, inner), Unknown):
            continue
        elif loop.groups:
            mapped.setdefault(text_of(name), []).append(made)
        else:
            mapped[text_of(name)] = made
    return listed if loop.key is None else mapped


def _template(parts: tuple[Expression, ...], scope: Scope) -> Any:
    values = [evaluate(part.parts[0] if isinstance(part, Template) else part, scope) for part in parts]
    if len(values) == 1:
        return values[0]
    if any(isinstance(value, Unknown) for value in values):
        return Unknown(_refs(values))
    text, refs = "".join(text_of(value) for value in values), _refs(values)
    return Sourced(text, refs) if refs else text


def _refs(values: list[Any]) -> tuple[str, ...]:
    refs: list[str] = []
    for value in values:
        if isinstance(value, Unknown | Made | Sourced):
            refs.extend(value.refs)
        elif isinstance(value, list):
            refs.extend(_refs(value))
        elif isinstance(value, Mapping):
            refs.extend(_refs(list(value.values())))
    return tuple(dict.fromkeys(refs))

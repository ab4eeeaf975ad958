"""Which value does a variable have of those that files and flags give it, once its type is applied?"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.terraform.evaluate import Scope, evaluate
from weyr.importing.terraform.functions import text_of
from weyr.importing.terraform.parse import parse
from weyr.importing.terraform.syntax import Call, Expression, Mapped, Name
from weyr.ledger.terraform.resources import Unknown


def typed(value: Any, kind: Expression | None, scope: Scope) -> Any:
    """The value as a type constraint makes it: `optional` attributes filled in, numbers and text converted."""
    if value is None or isinstance(value, Unknown) or kind is None:
        return value
    match kind:
        case Name("string"):
            return value if isinstance(value, list | Mapping) else text_of(value)
        case Name("number"):
            return _number(value)
        case Name("bool"):
            return value if isinstance(value, bool) else value == "true"
        case Call(("list" | "set" | "tuple"), (inner, *_)) if isinstance(value, list) and not isinstance(
            inner, Call | Name
        ):
            return value
        case Call(("list" | "set"), (inner, *_)) if isinstance(value, list):
            return [typed(item, inner, scope) for item in value]
        case Call("map", (inner, *_)) if isinstance(value, Mapping):
            return {key: typed(item, inner, scope) for key, item in value.items()}
        case Call("object", (Mapped(items), *_)) if isinstance(value, Mapping):
            return {**value, **dict(_attributes(value, items, scope))}
        case _:
            return value


def _attributes(value: Mapping[str, Any], items: tuple[tuple[Expression, Expression], ...], scope: Scope) -> Any:
    for key, kind in items:
        name = text_of(evaluate(key, scope))
        given = value.get(name)
        if isinstance(kind, Call) and kind.function == "optional":
            if given is None and len(kind.arguments) > 1:
                given = evaluate(kind.arguments[1], scope)
            kind = kind.arguments[0]
        yield name, typed(given, kind, scope)


def _number(value: Any) -> Any:
    if isinstance(value, int | Decimal):
        return value
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return value
    return int(found) if found == found.to_integral_value() else found


class _Nothing:
    """A variables file may name nothing."""

    def value(self, path: tuple[str, ...]) -> tuple[Any, int]:
        return Unknown(), len(path)

    def read(self, path: str) -> str | None:
        return None


def values_of(text: str, file: str) -> dict[str, Any]:
    """What a `.tfvars` or `.tfvars.json` file sets. Raises: UserError."""
    if file.endswith(".json"):
        try:
            return dict(json.loads(text, parse_float=Decimal))
        except (ValueError, TypeError) as e:
            raise UserError(Diagnostic("Not values of variables", f"{file}: {e}.")) from e
    scope = Scope(_Nothing())
    return {name: evaluate(expression, scope) for name, expression in parse(text, file).attributes.items()}


def value_of(text: str) -> Any:
    """What `--var name=text` sets: a value in Terraform's own syntax where it is one, else the text itself."""
    if text.startswith(("[", "{")) or text in ("true", "false") or text.replace(".", "", 1).lstrip("-").isdigit():
        return values_of(f"value = {text}\n", "--var")["value"]
    return text

"""What does a `.tf.json` file say? The same blocks as the native syntax, out of JSON: every text is a template.

Source: developer.hashicorp.com/terraform/language/syntax/json.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.importing.terraform.parse import parse, parse_template
from weyr.importing.terraform.syntax import Block, Expression, Literal, Mapped, Sequence

LABELS = {"resource": 2, "data": 2, "module": 1, "variable": 1, "output": 1, "provider": 1, "locals": 0}
"""How many names stand above the body of each kind of block; other kinds decide on no price."""
BARE = {"count", "for_each", "provider", "providers", "depends_on"}
"""Arguments whose text may be an expression as it is."""


def parse_json(text: str, file: str) -> Block:
    """The file as one block without a kind. Raises: UserError."""
    try:
        document = json.loads(text, parse_float=Decimal)
    except ValueError as e:
        raise UserError(Diagnostic("Not Terraform", f"{file}: {e}.")) from e
    if not isinstance(document, dict):
        raise UserError(Diagnostic("Not Terraform", f"{file}: an object was expected at the top."))
    blocks = [
        block
        for kind, body in document.items()
        if kind in LABELS
        for block in _blocks(kind, (), LABELS[kind], body, file)
    ]
    return Block("", (), {}, tuple(blocks), file)


def _blocks(kind: str, labels: tuple[str, ...], more: int, body: Any, file: str) -> Iterator[Block]:
    if isinstance(body, list):
        for each in body:
            yield from _blocks(kind, labels, more, each, file)
    elif not isinstance(body, Mapping):
        raise UserError(Diagnostic("Not Terraform", f"{file}: {'.'.join((kind, *labels))} is no object."))
    elif more:
        for label, inner in body.items():
            if not label.startswith("//"):
                yield from _blocks(kind, (*labels, label), more - 1, inner, file)
    else:
        attributes, dynamic = dict(body), body.get("dynamic") or {}
        attributes.pop("dynamic", None)
        made = {name: _argument(name, value, file) for name, value in attributes.items() if not name.startswith("//")}
        yield Block(kind, labels, made, tuple(_dynamic(dynamic, file)), file)


def _dynamic(body: Any, file: str) -> Iterator[Block]:
    for name, each in body.items() if isinstance(body, Mapping) else ():
        for one in each if isinstance(each, list) else [each]:
            content = tuple(_blocks("content", (), 0, one.get("content") or {}, file))
            attributes = {"for_each": _value(one.get("for_each"), file)}
            yield Block("dynamic", (name,), attributes, content, file)


def _argument(name: str, value: Any, file: str) -> Expression:
    if name in BARE and isinstance(value, str) and not value.startswith("${"):
        return parse(f"x = {value}\n", file).attributes["x"]
    return _value(value, file)


def _value(value: Any, file: str) -> Expression:
    match value:
        case str():
            return parse_template(value, file)
        case list():
            return Sequence(tuple(_value(each, file) for each in value))
        case dict():
            return Mapped(tuple((parse_template(key, file), _value(each, file)) for key, each in value.items()))
        case _:
            return Literal(value)

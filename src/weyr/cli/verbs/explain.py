"""`weyr explain`: the reference of a kind, or of one of its fields, from the spec itself."""

import sys
import textwrap
from importlib import resources
from typing import Annotated, Any

import typer

from weyr.cli.group import verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import coloured, put, put_json, table, width
from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.kind import AnyKind
from weyr.stack.fields import Shape, shape_of, value_text

app = verb_app()


@verb(app, "weyr explain\nweyr explain bucket\nweyr explain job.checkpoint.every")
def explain(
    what: Annotated[str, typer.Argument(metavar="KIND[.FIELD...]", help="Nothing lists the kinds.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the reference of a kind or of one of its fields."""
    if not what:
        _kinds(as_json)
        return
    word, *path = what.replace("/", ".").split(".")
    kind = _kind(word)
    shape = _shape(kind, path)
    if as_json:
        put_json({"kind": kind.name, "field": ".".join(path), "schema": {**shape.schema, "$defs": shape.definitions}})
    elif path:
        _field(".".join([kind.name, *path]), shape, is_required=_is_required(kind, path))
    else:
        _kind_page(kind, shape)


def _kinds(as_json: bool) -> None:
    listed = sorted(KINDS.values(), key=lambda kind: (kind.layer.value, kind.name))
    if as_json:
        put_json(
            {
                "kinds": [
                    {"name": k.name, "plural": k.plural, "layer": k.layer.value, "summary": k.summary} for k in listed
                ]
            }
        )
    else:
        put(
            table(
                ["kind", "in the file", "layer", "what it is"],
                [[k.name, k.plural, k.layer.value, k.summary] for k in listed],
            )
        )


def _kind(word: str) -> AnyKind:
    for kind in KINDS.values():
        if word in (kind.name, kind.plural):
            return kind
    detail = f"There is no kind {word!r}." + did_you_mean(word, KINDS)
    raise UserError(Diagnostic("Unknown kind", detail, suggestion="weyr explain"))


def _shape(kind: AnyKind, path: list[str]) -> Shape:
    """The shape of a field; entries of lists and mappings are passed through without naming them."""
    shape = shape_of(kind.spec)
    for depth, name in enumerate(path):
        inside = _entry(shape).fields()
        if name not in inside:
            where = ".".join([kind.name, *path[:depth]])
            detail = f"{where} has no field {name!r}." + did_you_mean(name, inside)
            raise UserError(Diagnostic("Unknown field", detail, suggestion=f"weyr explain {where}"))
        shape = inside[name]
    return shape


def _entry(shape: Shape) -> Shape:
    """The shape whose fields people would name here: that of a list's entries rather than the list."""
    return shape if shape.fields() else shape.child(0) or shape.child("entry") or shape


def _is_required(kind: AnyKind, path: list[str]) -> bool:
    return path[-1] in _entry(_shape(kind, path[:-1])).required()


def _kind_page(kind: AnyKind, shape: Shape) -> None:
    put(coloured(kind.name, "title") + f"  ({kind.layer.value}, written under {kind.plural}:)\n")
    put(_wrapped(kind.summary))
    put("\n" + coloured("Fields", "title"))
    _fields(shape, kind)
    example = resources.files("weyr.kinds").joinpath(kind.layer.value, kind.name, "example.yaml")
    if example.is_file():
        put("\n" + coloured("Example", "title"))
        put(textwrap.indent(example.read_text(encoding="utf-8").strip(), "  "))


def _field(name: str, shape: Shape, is_required: bool) -> None:
    put(coloured(name, "title") + "\n")
    if shape.description:
        put(_wrapped(shape.description))
    facts = [("write", shape.words()), ("default", "" if is_required else _default(shape))]
    facts += [("limits", ", ".join(shape.bounds())), ("example", shape.example)]
    for label, text in facts:
        if text:
            put(f"  {label:<8} {text}")
    if is_required:
        put("  required")
    if _entry(shape).fields():
        put("\n" + coloured("Fields", "title"))
        _fields(shape, None)


def _fields(shape: Shape, kind: AnyKind | None) -> None:
    entry = _entry(shape)
    required = entry.required()
    for name, field in entry.fields().items():
        marks = ["required"] if name in required else [f"default {_default(field)}"] if _default(field) else []
        marks += ["a change replaces the object"] if kind and name in kind.replaces else []
        put(f"  {name}  " + coloured(f"{field.words()}" + (f"; {'; '.join(marks)}" if marks else ""), "faint"))
        if field.description:
            put(_wrapped(field.description, 6))


def _default(shape: Shape) -> str:
    plain: Any = shape.default
    return "" if plain in (None, "", [], {}) or not shape.has_default else value_text(shape, plain)


def _wrapped(text: str, indent: int = 2) -> str:
    columns = width(sys.stdout)
    pad = " " * indent
    return textwrap.fill(text, columns, initial_indent=pad, subsequent_indent=pad) if columns else pad + text

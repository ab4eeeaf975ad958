"""What is wrong with this value, in plain words? The validator's errors as Diagnostics with their lines."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weyr.core.diagnostic import Diagnostic, Place, did_you_mean, nearest
from weyr.core.schema import ValidationError
from weyr.stack.fields import Shape, value_text
from weyr.stack.masking import MASK, is_sensitive
from weyr.stack.stack import Path, path_text
from weyr.stack.tree import Node

INVALID = "A value does not fit"
OUT_OF_RANGE = "A value is out of range"
MISSING = "A field is missing"
UNKNOWN = "Unknown field"
_ENORMOUS = re.compile(r"[-+]?[0-9.]{19,}|[-+]?[0-9.]+[eE][-+]?[0-9]+")
TEXT_MAX = 80
"""Characters of a user's value that are repeated back in a sentence."""

_MISSING = "missing"
_KEY = "[key]"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One error of the validator, put where it belongs in the file."""

    path: Path
    node: Node
    """What stands at the path; where a field is missing, the group that lacks it."""

    type: str
    message: str
    context: Mapping[str, Any]
    is_choice: bool
    """It is one of several tries at a value that may be written in more than one way."""


def mistakes_of(error: ValidationError, node: Node) -> list[Mistake]:
    """What the validator found, one entry for each place: of several tries at a value the one that came furthest."""
    errors = error.errors(include_url=False, include_input=False)
    found = [mistake for item in errors if (mistake := _located(dict(item), node))]
    paths = {mistake.path for mistake in found}
    kept: dict[Path, Mistake] = {}
    for mistake in found:
        is_beaten = mistake.is_choice and any(
            len(path) > len(mistake.path) and path[: len(mistake.path)] == mistake.path for path in paths
        )
        if not is_beaten and (mistake.path not in kept or _says_more(mistake, kept[mistake.path])):
            kept[mistake.path] = mistake
    return list(kept.values())


def sentence(mistake: Mistake, ref: str, node: Node, shape: Shape) -> Diagnostic:
    """One mistake as a Diagnostic. `node` and `shape` are those of the whole spec."""
    match mistake.type:
        case "missing":
            return _missing(mistake, ref, node, shape)
        case "extra_forbidden":
            return _unknown(mistake, ref, node, shape)
        case _:
            parent = shape.at(mistake.path[:-1])
            is_required = bool(parent and mistake.path and mistake.path[-1] in parent.required())
            summary, detail = _wrong(mistake, mistake.node, shape.at(mistake.path), is_required)
            field = path_text(mistake.path)
            place = place_at(node, mistake.path)
            return Diagnostic(summary, f"{field}: {detail}" if field else detail, place=place, ref=ref)


def place_at(node: Node, path: Path) -> Place:
    """Where the last part of a path stands: its key, or the list's entry."""
    place = node.place
    for part in path:
        match node.value, part:
            case dict() as entries, str() if part in entries:
                place, node = node.keys[part], entries[part]
            case list() as items, int() if part < len(items):
                node = items[part]
                place = node.place
            case _:
                return place
    return place


def _located(item: dict[str, Any], node: Node) -> Mistake | None:
    """Drops from the validator's path what is no part of the file: names of alternatives and validators.

    None where the value is lost: that an alias leads nowhere was said already.
    """
    path: list[str | int] = []
    is_choice = False
    parts = item["loc"]
    for index, part in enumerate(parts):
        match node.value, part:
            case dict() as entries, str() if part in entries:
                node = entries[part]
                path.append(part)
            case list() as items, int() if part < len(items):
                node = items[part]
                path.append(part)
            case _ if index == len(parts) - 1 and item["type"] == _MISSING:
                path.append(part)
            case _ if part != _KEY:
                is_choice = True
    if node.is_lost:
        return None
    return Mistake(tuple(path), node, item["type"], item["msg"], item.get("ctx", {}), is_choice)


def _says_more(new: Mistake, old: Mistake) -> bool:
    """A rule that was broken says more than "this is not of that type"."""
    return new.type in _WORDING or (new.type == "value_error" and old.type not in _WORDING)


def _missing(mistake: Mistake, ref: str, node: Node, shape: Shape) -> Diagnostic:
    *around, name = mistake.path
    field = shape.at(mistake.path)
    detail = f"{path_text(mistake.path)} is needed: {field.description if field else ''}".rstrip(": ")
    detail = detail if detail.endswith(".") else f"{detail}."
    example = field.example if field else ""
    suggestion = f"{name}: {example}" if example else ""
    return Diagnostic(MISSING, detail, place=place_at(node, tuple(around)), ref=ref, suggestion=suggestion)


def _unknown(mistake: Mistake, ref: str, node: Node, shape: Shape) -> Diagnostic:
    *around, name = mistake.path
    parent = shape.at(tuple(around))
    inside = f" in {path_text(tuple(around))}" if around else ""
    known = parent.fields() if parent else {}
    hint = did_you_mean(str(name), known)
    deeper = "" if hint.startswith(" Did") else _deeper(str(name), parent)
    detail = f'There is no field "{clipped(str(name))}"{inside}.{deeper or hint}'
    return Diagnostic(UNKNOWN, detail, place=place_at(node, mistake.path), ref=ref)


def _deeper(name: str, shape: Shape | None) -> str:
    """The field that was meant may stand one group further in: `memory` in `resources`."""
    groups = shape.fields() if shape else {}
    words = {inner: f"{outer}.{inner}" for outer, group in groups.items() for inner in group.fields()}
    match = nearest(name, words)
    return f' Did you mean "{words[match]}"?' if match else ""


def _wrong(mistake: Mistake, node: Node, shape: Shape | None, is_required: bool) -> tuple[str, str]:
    wanted = shape.words() if shape else "a value"
    shown = written(node, mistake.path)
    if node.value is None:
        return INVALID, f"there is no value; write {wanted}{'' if is_required else ', or leave the field out'}."
    if mistake.type in ("value_error", "assertion_error"):
        said = str(mistake.context.get("error") or mistake.message).strip()
        return INVALID, clipped(said if said.endswith((".", "?")) else f"{said}.", 400)
    if mistake.type in _WORDING:
        return OUT_OF_RANGE, f"{shown} {_WORDING[mistake.type](_Bound(mistake.context, shape))}."
    if mistake.type in ("literal_error", "enum") and shape:
        hint = did_you_mean(str(node.value), [str(v) for v in shape.allowed()]) if isinstance(node.value, str) else ""
        return INVALID, f"{shown} is not {wanted}.{hint if hint.startswith(' Did') else ''}"
    if mistake.type == "string_pattern_mismatch":
        example = f", such as {shape.example}" if shape and shape.example else ""
        meaning = f" {shape.description}" if shape and shape.description else ""
        pattern = mistake.context.get("pattern", "")
        return INVALID, f"{shown} is not written in the right form{example}.{meaning} It has to match {pattern}"
    if mistake.type == "string_type" and isinstance(node.value, int | float):
        return INVALID, f"{shown} is read as {_read_as(node)}; put it in quotes to make it text."
    if isinstance(node.value, list | dict):
        return INVALID, f"{_read_as(node)} stands here; write {wanted}."
    if isinstance(node.value, str) and _ENORMOUS.fullmatch(node.value) and shape and shape.takes("number", "integer"):
        return OUT_OF_RANGE, f"{shown} is a larger number than can be counted with."
    return INVALID, f"{shown} is {_read_as(node)}; write {wanted}."


class _Bound:
    """The limit that a value passed, as people write it."""

    def __init__(self, context: Mapping[str, Any], shape: Shape | None) -> None:
        self._context = context
        self._shape = shape

    def __getitem__(self, name: str) -> str:
        return value_text(self._shape, self._context.get(name))


_WORDING: dict[str, Callable[[_Bound], str]] = {
    "greater_than_equal": lambda b: f"is too little; the least is {b['ge']}",
    "greater_than": lambda b: f"is too little; it must be more than {b['gt']}",
    "less_than_equal": lambda b: f"is too much; the most is {b['le']}",
    "less_than": lambda b: f"is too much; it must be less than {b['lt']}",
    "string_too_short": lambda b: f"is too short; at least {b['min_length']} characters are needed",
    "string_too_long": lambda b: f"is too long; at most {b['max_length']} characters are allowed",
    "too_short": lambda b: f"has too few entries; at least {b['min_length']} is needed",
    "too_long": lambda b: f"has too many entries; at most {b['max_length']} are allowed",
    "finite_number": lambda _: "is no number that can be counted with",
}


def written(node: Node, path: Path = ()) -> str:
    """A value of the file as it is shown in a sentence: short, and masked where it may be a secret."""
    if is_sensitive(path):
        return MASK
    match node.value:
        case dict() | list():
            return _read_as(node)
        case str() as text:
            return f'"{clipped(text)}"'
        case _:
            return clipped(value_text(None, node.value))


def clipped(text: str, length: int = TEXT_MAX) -> str:
    """The beginning of a long text, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def _read_as(node: Node) -> str:
    assert node.value is not None, "an empty value has a sentence of its own"
    match node.value:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a group of fields"

"""Which fields of a spec differ? Old and new side by side, written as people write them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from weyr.stack.fields import Shape, value_text
from weyr.stack.masking import MASK, is_sensitive
from weyr.stack.stack import Path, path_text
from weyr.stack.steps import FieldChange

Plain = Mapping[str, Any]


def differences(shape: Shape, old: Plain | None, new: Plain, replaces: Collection[str] = ()) -> tuple[FieldChange, ...]:
    """The fields that differ between two plain specs. For a new object (`old` None) what is not the default.

    Takes: `replaces`, the fields (or dotted paths) whose change makes a new object of the old one.
    """
    pairs = _pairs((), old, new) if old is not None else _given((), shape, new)
    return tuple(_change(path, before, after, shape, replaces) for path, before, after in pairs)


def _pairs(path: Path, old: object, new: object) -> Iterator[tuple[Path, object, object]]:
    """Each place where the two differ, as deep as both have the same structure."""
    match old, new:
        case _ if old == new and isinstance(old, bool) == isinstance(new, bool):
            return
        case Mapping(), Mapping():
            for key in dict.fromkeys([*old, *new]):
                yield from _pairs((*path, key), old.get(key), new.get(key))
        case (Mapping(), None) if old:
            for key in old:
                yield from _pairs((*path, key), old[key], None)
        case (None, Mapping()) if new:
            for key in new:
                yield from _pairs((*path, key), None, new[key])
        case list(), list() if _holds_groups(old) or _holds_groups(new):
            for index in range(max(len(old), len(new))):
                before = old[index] if index < len(old) else None
                after = new[index] if index < len(new) else None
                yield from _pairs((*path, index), before, after)
        case _:
            yield path, old, new


def _given(path: Path, shape: Shape | None, value: object) -> Iterator[tuple[Path, object, object]]:
    """Each value of a new object that is not what it would be anyway."""
    match value:
        case dict() if value:
            entries: Iterator[tuple[str | int, object]] = iter(value.items())
        case list() if _holds_groups(value):
            entries = iter(enumerate(value))
        case None:
            return
        case _:
            if path:
                yield path, None, value
            return
    for part, item in entries:
        inner = shape.child(part) if shape else None
        if inner is None or not inner.is_default(item):
            yield from _given((*path, part), inner, item)


def _change(path: Path, old: object, new: object, shape: Shape, replaces: Collection[str]) -> FieldChange:
    text = path_text(path)
    is_replacing = any(text == field or text.startswith((f"{field}.", f"{field}[")) for field in replaces)
    if is_sensitive(path):
        return FieldChange(text, MASK if old is not None else None, MASK if new is not None else None, is_replacing)
    field = shape.at(path)
    return FieldChange(text, _text(field, old), _text(field, new), is_replacing)


def _text(shape: Shape | None, value: object) -> str | None:
    return None if value is None else value_text(shape, value)


def _holds_groups(items: list[Any]) -> bool:
    return any(isinstance(item, dict) for item in items)

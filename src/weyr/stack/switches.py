"""Does `true` stand where a number is due? Python counts it as 1; people who write it mean something else."""

from collections.abc import Iterator

from weyr.core.diagnostic import Diagnostic
from weyr.stack.fields import Shape
from weyr.stack.sentences import INVALID, place_at
from weyr.stack.stack import Path, path_text
from weyr.stack.tree import Node


def switches_for_numbers(ref: str, node: Node, shape: Shape) -> list[Diagnostic]:
    """A problem for each `true` or `false` that would be read as a number."""
    found = []
    for path in _switches(node, ()):
        field = shape.at(path)
        if field and field.takes("number", "integer") and not field.takes("boolean") and not field.unit:
            detail = f"{path_text(path)}: true and false are no numbers; write {field.words()}."
            found.append(Diagnostic(INVALID, detail, place=place_at(node, path), ref=ref))
    return found


def _switches(node: Node, path: Path) -> Iterator[Path]:
    match node.value:
        case bool():
            yield path
        case dict() as entries:
            for key, entry in entries.items():
                yield from _switches(entry, (*path, key))
        case list() as items:
            for index, entry in enumerate(items):
                yield from _switches(entry, (*path, index))
        case _:
            return

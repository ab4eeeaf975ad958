"""How is a stack file changed without being written anew? One value at a time, in its own line and style.

A comment, a blank line, a list on one line or on many: all stays as somebody wrote it. The change is made in the text,
then the text is read again, and it has to say exactly what was meant: where it does not (an alias is changed for all
who share it, a merged mapping would be hidden) the change is refused and left to a person.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.stack.tree import tree_of

Plain = str | int | float | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]
Path = tuple[str, ...]
_ALIAS = re.compile(r"\s*:\s*\*[^\s,\[\]{}]+")


def edited(text: str, file: str, changes: Iterable[tuple[Path, Plain]]) -> str:
    """The text with each value set; None takes its field out.

    Takes: paths from the top of the file, such as `("jobs", "train", "resources", "cpu")`.
    Raises: UserError where the text is no stack file, or a change cannot be made in it alone.
    """
    for path, value in changes:
        wanted = _with(_plain(text, file), path, value)
        text = _changed(text, file, path, value)
        root, problems = tree_of(text, file)
        if problems or root.plain() != wanted:
            raise _by_hand(file, path, "what stands there is shared with other places of the file")
    return text


def _changed(text: str, file: str, path: Path, value: Plain) -> str:
    root: Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None, "it was read as a stack file before"
    around = node = root
    for depth, name in enumerate(path):
        around = node
        if isinstance(node, ScalarNode) and not node.value:  # a name with nothing below it yet
            return text if value is None else _put(text, node, f" {_flow(_below(path[depth:], value))}")
        if not isinstance(node, MappingNode):
            raise _by_hand(file, path, f"{'.'.join(path[:depth])} has no fields")
        found = next((entry for entry in node.value if entry[0].value == name), None)
        if found is None:
            return text if value is None else _added(text, node, name, _below(path[depth + 1 :], value))
        key, node = found
        if node.start_mark.index < key.end_mark.index:
            raise _by_hand(file, path, f"{name} is an alias of what stands elsewhere")
    if value is None:
        return _without(text, around, path[-1])
    if isinstance(node, SequenceNode) and isinstance(value, Sequence) and not isinstance(value, str):
        before = _items(node)
        if node.value and list(value[: len(before)]) == before:
            return _longer(text, node, value[len(before) :])
    gap = " " if node.start_mark.index and text[node.start_mark.index - 1] == ":" else ""
    return _put(text, node, gap + _flow(value))


def _put(text: str, node: Node, written: str) -> str:
    """In place of a value. What stood on several lines stands on one now, in the line of its name."""
    begin = node.start_mark.index
    if isinstance(node, CollectionNode) and not node.flow_style:
        begin = len(text[:begin].rstrip())
        written = f" {written.lstrip()}"
    return text[:begin] + written + text[_end(text, node) :]


def _added(text: str, node: MappingNode, name: str, value: Plain) -> str:
    """A field behind the last one, written as its neighbours are."""
    entry = f"{_flow(name)}: {_flow(value)}"
    if node.flow_style:
        if not node.value:
            at = node.end_mark.index - 1
            return text[:at] + entry + text[at:]
        at = _entry_end(text, node.value[-1])
        return f"{text[:at]}, {entry}{text[at:]}"
    column = node.value[0][0].start_mark.column
    return _new_line(text, _entry_end(text, node.value[-1]), " " * column + entry)


def _longer(text: str, node: SequenceNode, items: Sequence[Plain]) -> str:
    """A list with these items behind its own."""
    at = _end(text, node.value[-1])
    if not items or node.flow_style:
        return text[:at] + "".join(f", {_flow(item)}" for item in items) + text[at:]
    dash = text.rfind("-", 0, node.value[0].start_mark.index)
    column = dash - (text.rfind("\n", 0, dash) + 1)
    return _new_line(text, at, _newline(text).join(f"{' ' * column}- {_flow(item)}" for item in items))


def _without(text: str, around: Node, name: str) -> str:
    """Without a field: its lines, or its part of the line that it shares."""
    assert isinstance(around, MappingNode)
    number = next(n for n, (key, _) in enumerate(around.value) if key.value == name)
    key, _value = around.value[number]
    begin, end = key.start_mark.index, _entry_end(text, around.value[number])
    if not around.flow_style:
        line_end = text.find("\n", end)
        return text[: text.rfind("\n", 0, begin) + 1] + ("" if line_end < 0 else text[line_end + 1 :])
    if number + 1 < len(around.value):
        return text[:begin] + text[around.value[number + 1][0].start_mark.index :]
    if number:
        begin = _entry_end(text, around.value[number - 1])
    return text[:begin] + text[end:]


def _new_line(text: str, after: int, line: str) -> str:
    """A line below the one that `after` is in, its comment included."""
    newline, end = _newline(text), text.find("\n", after)
    if end < 0:
        return f"{text}{newline}{line}{newline}"
    return f"{text[: end + 1]}{line}{newline}{text[end + 1 :]}"


def _entry_end(text: str, entry: tuple[Node, Node]) -> int:
    """Where a field ends. An alias has the place of what it stands for, which is before its name."""
    key, value = entry
    if value.start_mark.index >= key.end_mark.index:
        return _end(text, value)
    alias = _ALIAS.match(text, key.end_mark.index)
    return alias.end() if alias else key.end_mark.index


def _end(text: str, node: Node) -> int:
    """Where a value ends; a block's own end would take in the comments that follow it."""
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        end: int = node.end_mark.index
        # A text of several lines ends with its last line, and an empty value where its name does.
        return max(len(text[:end].rstrip("\r\n ")), node.start_mark.index) if end > node.start_mark.index else end
    last = node.value[-1]
    return _entry_end(text, last) if isinstance(last, tuple) else _end(text, last)


def _items(node: SequenceNode) -> list[Any]:
    """The items as they are written, to see whether others are only added to them."""
    loaded = yaml.safe_load(yaml.serialize(node))
    return list(loaded)


def _below(path: Path, value: Plain) -> Plain:
    for name in reversed(path):
        value = {name: value}
    return value


def _flow(value: Plain) -> str:
    """On one line, quoted where YAML wants it."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=100_000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _plain(text: str, file: str) -> Any:
    root, problems = tree_of(text, file)
    if problems:
        raise UserError(*problems)
    return root.plain()


def _with(plain: Any, path: Path, value: Plain) -> Any:
    """The plain value as it is to be."""
    fields = dict(plain) if isinstance(plain, dict) else {}
    if len(path) > 1:
        if value is None and path[0] not in fields:
            return plain
        fields[path[0]] = _with(fields.get(path[0]), path[1:], value)
    elif value is None:
        fields.pop(path[0], None)
    else:
        fields[path[0]] = _as_read(value)
    return fields


def _as_read(value: Plain) -> Any:
    """Lists and mappings as a reader of the file has them."""
    match value:
        case Mapping():
            return {key: _as_read(each) for key, each in value.items()}
        case str():
            return value
        case Sequence():
            return [_as_read(each) for each in value]
        case _:
            return value


def _by_hand(file: str, path: Path, why: str) -> UserError:
    detail = f"{'.'.join(path)} cannot be changed there alone: {why}. Change it by hand."
    return UserError(Diagnostic("A change that needs a hand", detail, place=Place(file)))

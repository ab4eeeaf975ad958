"""Which tree of values does a YAML text hold, and where does each stand? Bounded, and never surprised.

The tree is built from PyYAML's events instead of its loader, for three reasons: every value keeps
its line, depth and size have a bound before memory is spent, and plain words mean what YAML 1.2 says
(`on`, `yes` and `1:30` are text, `010` is ten; YAML 1.1 has booleans, sexagesimals and octals there).
"""

import re
from dataclasses import dataclass, field

import yaml

from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.stack.syntax import not_yaml
from weyr.stack.text import text_of

DEPTH_MAX = 32
NODES_MAX = 200_000
"""Values in a file, those that aliases repeat included: a bomb of nine aliases stops here."""
SCALAR_MAX = 65_536

Leaf = str | int | float | bool | None

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_PREFIXED = re.compile(r"0(x[0-9a-fA-F]{1,24}|o[0-7]{1,32})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40}|(?=[eE])))([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Leaf] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class Node:
    """One value: a leaf, a list of nodes, or named nodes. `keys` are the places of the names."""

    place: Place
    value: "Leaf | list[Node] | dict[str, Node]"
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    is_lost: bool = False
    """It was an alias that leads nowhere: what is said about it has been said."""

    def plain(self) -> object:
        """The same value as lists, dicts and scalars."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
            case _:
                return self.value


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read; `name` is the key that awaits its value."""

    node: Node
    anchor: str | None
    name: str | None = None
    name_place: Place | None = None
    merged: list[Node] = field(default_factory=list)


def tree_of(text: str | bytes, file: str) -> tuple[Node, list[Diagnostic]]:
    """The tree, and the problems that leave one (a key written twice, a tag).

    Raises: UserError where there is no tree to speak of.
    """
    builder = _Builder(file)
    decoded = text_of(text, file)
    try:
        for event in yaml.parse(decoded, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as e:
        raise UserError(*builder.problems, not_yaml(e, decoded, file)) from e
    if builder.root is None or builder.root.value is None:
        raise UserError(_problem("The file is empty", "There is nothing in this stack file.", Place(file), "weyr init"))
    return builder.root, builder.problems


class _Builder:
    """Takes YAML's events one by one and keeps the open collections on a stack of its own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Diagnostic] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._size = 0

    def take(self, event: yaml.Event) -> None:
        """Adds one event to the tree. Raises: UserError at the first bound that is passed."""
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    detail = "A stack file holds one document; this `---` begins another one."
                    raise UserError(*self.problems, _problem("Several documents", detail, self._at(event)))
            case yaml.AliasEvent():
                self._add(self._aliased(event), event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.CollectionEndEvent():
                self._end(event)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event)
        place = self._at(event)
        if len(event.value) > SCALAR_MAX:
            detail = f"This value has {len(event.value):,} characters, and {SCALAR_MAX:,} is the most."
            raise UserError(*self.problems, _problem("A value is too long", detail, place))
        is_plain = event.implicit[0]
        node = Node(place, leaf_of(event.value) if is_plain else event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node, event, text=event.value, is_plain=is_plain)

    def _begin(self, event: yaml.CollectionStartEvent, empty: "list[Node] | dict[str, Node]") -> None:
        self._refuse_tag(event)
        if len(self._open) >= DEPTH_MAX:
            detail = f"Values are nested more than {DEPTH_MAX} deep here; no stack needs that."
            raise UserError(*self.problems, _problem("The file is nested too deep", detail, self._at(event)))
        self._open.append(_Open(Node(self._at(event), empty), event.anchor))

    def _end(self, event: yaml.Event) -> None:
        closed = self._open.pop()
        for source in closed.merged:
            _merge(closed.node, source)
        if closed.anchor:
            self._anchors[closed.anchor] = closed.node
        self._add(closed.node, event)

    def _add(self, node: Node, event: yaml.Event, text: str = "", is_plain: bool = False) -> None:
        if not isinstance(node.value, dict | list) or isinstance(event, yaml.AliasEvent):
            self._count(node.size, event)
        else:
            self._count(1, event)
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.node.size += node.size
        match parent.node.value:
            case list() as items:
                items.append(node)
            case dict() as entries:
                if parent.name is None:
                    parent.name, parent.name_place = self._key(node, event, text, is_plain), self._at(event)
                else:
                    self._put(parent, entries, node)

    def _key(self, node: Node, event: yaml.Event, text: str, is_plain: bool) -> str:
        if isinstance(event, yaml.ScalarEvent) and node.value is not None:
            return text if not is_plain or text != "<<" else _MERGE
        detail = "Each key must be a word, such as `cpu:`; this one is " + (
            "empty." if node.value is None else "a list, a mapping or an alias."
        )
        self.problems.append(_problem("A key is not a word", detail, self._at(event)))
        return _NO_KEY

    def _put(self, parent: _Open, entries: "dict[str, Node]", node: Node) -> None:
        name, place = parent.name, parent.name_place
        assert name is not None
        assert place is not None
        parent.name = parent.name_place = None
        if name == _NO_KEY:
            return
        if name == _MERGE:
            self._put_merge(parent, node, place)
        elif name in entries:
            first = parent.node.keys[name]
            detail = f'"{name}" stands here a second time; the first is in line {first.line}. Keep one of them.'
            self.problems.append(_problem("A key is written twice", detail, place))
        else:
            entries[name], parent.node.keys[name] = node, place

    def _put_merge(self, parent: _Open, node: Node, place: Place) -> None:
        sources = node.value if isinstance(node.value, list) else [node]
        if all(isinstance(source.value, dict) for source in sources):
            parent.merged.extend(sources)
            return
        detail = "`<<` takes in another mapping, such as `<<: *defaults`; this value is none."
        self.problems.append(_problem("A merge key without a mapping", detail, place))

    def _aliased(self, event: yaml.AliasEvent) -> Node:
        place = self._at(event)
        node = self._anchors.get(event.anchor or "")
        if node is not None:
            return node
        is_inside = any(entry.anchor == event.anchor for entry in self._open)
        why = "it stands inside that anchor itself" if is_inside else f"there is no `&{event.anchor}` before it"
        detail = f"`*{event.anchor}` cannot be followed: {why}."
        self.problems.append(_problem("An alias leads nowhere", detail, place))
        return Node(place, None, is_lost=True)

    def _count(self, size: int, event: yaml.Event) -> None:
        self._size += size
        if self._size > NODES_MAX:
            detail = f"The file holds more than {NODES_MAX:,} values once its aliases are followed."
            raise UserError(*self.problems, _problem("The file is too large", detail, self._at(event)))

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag:
            detail = f"The tag `{event.tag[:80]}` has no meaning in a stack file; leave it out."
            self.problems.append(_problem("A tag is not allowed", detail, self._at(event)))

    def _at(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        assert mark is not None
        return Place(self.file, mark.line + 1, mark.column + 1)


_MERGE = "\0merge"
_NO_KEY = "\0none"
"""Two keys that no file can hold: YAML has no NUL character."""


def _merge(into: Node, source: Node) -> None:
    assert isinstance(into.value, dict)
    assert isinstance(source.value, dict)
    for key, node in source.value.items():
        if key not in into.value:
            into.value[key], into.keys[key] = node, source.keys[key]


def leaf_of(text: str) -> Leaf:
    """What a word without quotes is read as: a number, true, false, nothing, or itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    # Above 1e300 a float would be infinite or close to it; as text it is refused where a number is due.
    if _FLOAT.fullmatch(text) and abs(number := float(text)) < 1e300:
        return number
    return text


def _problem(summary: str, detail: str, place: Place, suggestion: str = "") -> Diagnostic:
    return Diagnostic(summary, detail, place=place, suggestion=suggestion)

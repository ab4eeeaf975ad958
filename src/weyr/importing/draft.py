"""What does an import make, and how does a reader keep account of every field? Nothing is dropped in silence.

A reader takes fields from `Fields`; what it did not take is said to be left out, with the reason where one is known.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from weyr.core.ref import NAME
from weyr.stack.tree import Node

DEFAULTS: tuple[dict[str, Any], ...] = ({"max": 0},)
"""Values that say what would be so anyway."""
NAME_MAX = 40
NO_WORD = "Weyr has no such setting."


class Verdict(StrEnum):
    """LEFT_OUT: nothing of it is in the stack. CHANGED: it is, and means something a little different. DO: there is
    something left to do by hand before `weyr up`."""

    LEFT_OUT = "left out"
    CHANGED = "changed"
    DO = "to do"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that did not carry over as it was. `line` is in the file that was read, 0 for the whole of it."""

    line: int
    field: str
    verdict: Verdict
    why: str

    def text(self, file: str) -> str:
        place = f"{file}:{self.line}" if self.line else file
        return f"{place} {self.field}: {self.verdict}. {self.why}"


@dataclass(slots=True)
class Draft:
    """A stack in the making: its objects under the names that a stack file has for their kinds."""

    name: str
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def add(self, plural: str, name: str, fields: Mapping[str, Any]) -> str:
        """Puts an object in, without the fields that are empty; gives the name it got, which nobody else has."""
        there = self.objects.setdefault(plural, {})
        base, number = name_of(name, plural.removesuffix("s")), 2
        name = base
        while name in there:
            name, number = f"{base[: NAME_MAX - 3]}-{number}", number + 1
        there[name] = {key: value for key, value in fields.items() if value not in (None, "", {}, [], *DEFAULTS)}
        return name

    def secret(self, variable: str) -> str:
        """A reference to a secret for a variable whose value is set elsewhere."""
        name = name_of(variable, "secret")
        self.objects.setdefault("secrets", {}).setdefault(name, {})
        return f"secret/{name}"

    def say(self, line: int, what: str, verdict: Verdict, why: str) -> None:
        note = Note(line, what, verdict, why)
        if note not in self.notes:
            self.notes.append(note)


class Fields:
    """One mapping of the file that is read: which of its fields were taken, and where each stands."""

    def __init__(self, node: Node | None, draft: Draft, path: str = "") -> None:
        self._node, self._draft, self._path = node, draft, path
        self._entries = node.value if node is not None and isinstance(node.value, dict) else {}
        self._taken: set[str] = set()
        if node is not None and node.value is not None and not isinstance(node.value, dict):
            draft.say(node.place.line or 0, path, Verdict.LEFT_OUT, "A mapping of fields was expected here.")

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def take(self, name: str) -> Node | None:
        """The value of a field, None where it is missing or empty."""
        self._taken.add(name)
        node = self._entries.get(name)
        return None if node is None or node.value is None else node

    def plain(self, name: str) -> Any:
        node = self.take(name)
        return None if node is None else node.plain()

    def text(self, name: str) -> str:
        """A scalar as text, "" where there is none. A list or a mapping is left out, and that is said."""
        node = self.take(name)
        if node is None:
            return ""
        if isinstance(node.value, dict | list):
            self.left(name, "A single value was expected here.")
            return ""
        return scalar_text(node.value)

    def number(self, name: str) -> int | None:
        text = self.text(name)
        if text and not re.fullmatch(r"[0-9]{1,9}", text):
            self.left(name, f"{text!r} is not a whole number.")
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None

    def read(self, name: str, parse: Callable[[str], Any]) -> Any:
        """What `parse` makes of a field's text; None where it is missing, and where it raises ValueError."""
        text = self.text(name)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as e:
            self.left(name, f"{e}.")
            return None

    def within(self, name: str) -> "Fields":
        return Fields(self.take(name), self._draft, self.path(name))

    def items(self, name: str) -> list[Node]:
        """A list's values; a single value counts as a list of one."""
        node = self.take(name)
        if node is None:
            return []
        return node.value if isinstance(node.value, list) else [node]

    def each(self, name: str) -> Iterator["Fields"]:
        """A list's mappings."""
        for index, node in enumerate(self.items(name)):
            yield Fields(node, self._draft, f"{self.path(name)}[{index}]")

    def names(self) -> list[str]:
        return list(self._entries)

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def line(self, name: str) -> int:
        place = self._node.keys.get(name) if self._node is not None else None
        return (place.line or 0) if place is not None else 0

    def left(self, name: str, why: str) -> None:
        """Says that a field is left out, if it is there at all."""
        self._say(name, Verdict.LEFT_OUT, why)

    def changed(self, name: str, why: str) -> None:
        self._say(name, Verdict.CHANGED, why)

    def to_do(self, name: str, why: str) -> None:
        self._say(name, Verdict.DO, why)

    def secret(self, name: str, variable: str, wanted: str = "") -> str:
        """A reference to the secret that holds a variable's value, and what sets it."""
        reference = self._draft.secret(wanted or variable)
        self._say(name, Verdict.DO, f"Set the value of {variable}: weyr secret set {reference.partition('/')[2]}")
        return reference

    def _say(self, name: str, verdict: Verdict, why: str) -> None:
        self._taken.add(name)
        if name in self._entries:
            self._draft.say(self.line(name), self.path(name), verdict, why)

    def leave_rest(self, reasons: Mapping[str, str]) -> None:
        """Says of every field that was not taken that it is left out, and why as far as that is known."""
        for name in self._entries:
            if name not in self._taken:
                self.left(name, reasons.get(name, NO_WORD))


def scalar_text(value: object) -> str:
    """A scalar as it would be written: YAML's booleans are lower-case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def name_of(text: str, otherwise: str) -> str:
    """A name as a stack has them, as near to `text` as can be."""
    words = re.sub(r"[^a-z0-9_-]+", "-", text.lower().replace("_", "-"))
    name = words.lstrip("-0123456789_")[:NAME_MAX].rstrip("-")
    return name if NAME.fullmatch(name) else otherwise


def script(*parts: str) -> list[str] | str:
    """Lines for bash as a job's `run`; one plain command stays a line for the shell."""
    text = "\n".join(part.strip("\n") for part in parts if part.strip())
    if "\n" not in text and not re.search(r"\[\[|<\(|\bsource\b|\$\{[^}]*[/,^:]", text):
        return text
    return ["bash", "-c", text + "\n"]

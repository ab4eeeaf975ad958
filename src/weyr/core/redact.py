"""What must not be written down of a body? Paths into JSON and regular expressions, read once and applied to values.

Pure. A body that paths are for and that is no JSON, or was cut, is withheld whole: what cannot be read cannot be
redacted.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

REDACTED = "[redacted]"
WITHHELD = "[withheld: it is no whole JSON, and fields of it are not to be written down]"
_STEP = re.compile(r"\.?([A-Za-z_][\w-]*)|\[(\*|\d+)\]|\.(\*)")

Step = str | int | None
"""A field's name, an element's index, or None for every one."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """`paths` as steps, and `patterns` for the text that is left."""

    paths: tuple[tuple[Step, ...], ...] = ()
    patterns: tuple["re.Pattern[str]", ...] = ()

    def json(self, text: str) -> object:
        """A JSON body as a value without what is not to be told. Raises: ValueError where it is no JSON."""
        value = json.loads(text)
        for path in self.paths:
            value = _without(value, path)
        return self._masked(value)

    def text(self, text: str) -> str:
        """A body of any other sort. With paths to redact it is withheld."""
        return WITHHELD if self.paths else self.plain(text)

    def plain(self, text: str) -> str:
        """`text` without what the patterns find."""
        for pattern in self.patterns:
            text = pattern.sub(REDACTED, text)
        return text

    def _masked(self, value: object) -> object:
        if not self.patterns:
            return value
        match value:
            case str():
                return self.plain(value)
            case list():
                return [self._masked(each) for each in value]
            case dict():
                return {self.plain(str(key)): self._masked(each) for key, each in value.items()}
            case bool() | None:
                return value
            case _:
                # A number may be what a pattern is for: a card's or an account's.
                text = json.dumps(value)
                return value if self.plain(text) == text else REDACTED


def redaction_of(rules: tuple[str, ...]) -> Redaction:
    """Reads rules such as `messages[*].content`, `inputs[0].data`, `user.*` and `/[0-9]{16}/`.

    Raises: ValueError, saying what is wrong with which rule.
    """
    paths: list[tuple[Step, ...]] = []
    patterns: list[re.Pattern[str]] = []
    for rule in rules:
        if len(rule) > 2 and rule.startswith("/") and rule.endswith("/"):
            try:
                patterns.append(re.compile(rule[1:-1]))
            except re.error as e:
                raise ValueError(f"{rule} is not a regular expression: {e}") from e
        else:
            paths.append(_path(rule))
    return Redaction(tuple(paths), tuple(patterns))


def _path(rule: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    at = 0
    while at < len(rule):
        found = _STEP.match(rule, at)
        if found is None:
            raise ValueError(f"{rule!r} is no path at {rule[at:]!r}; write it as messages[*].content, or as /regex/")
        name, index, every = found.groups()
        steps.append(name if name else None if every or index == "*" else int(index))
        at = found.end()
    if not steps:
        raise ValueError("an empty path names nothing")
    return tuple(steps)


def _without(value: Any, path: tuple[Step, ...]) -> object:
    """`value`, its part at `path` replaced; what has no such part is as it was."""
    if not path:
        return REDACTED
    step, rest = path[0], path[1:]
    match value:
        case dict():
            return {key: _without(each, rest) if step in (None, key) else each for key, each in value.items()}
        case list():
            return [_without(each, rest) if step is None or step == index else each for index, each in enumerate(value)]
        case _:
            return value

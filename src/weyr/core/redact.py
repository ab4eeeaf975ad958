"""What must not be written down of a body? Paths into JSON and regular expressions, read once and applied to values.

Pure. A body that paths are for and that is no JSON, or was cut, is withheld whole: what cannot be read cannot be
redacted.
"""

import json
import re
from dataclasses import dataclass

from weyr.core.json_paths import Path, path_of, replaced

REDACTED = "[redacted]"
WITHHELD = "[withheld: it is no whole JSON, and fields of it are not to be written down]"


@dataclass(frozen=True, slots=True)
class Redaction:
    """`paths` as steps, and `patterns` for the text that is left."""

    paths: tuple[Path, ...] = ()
    patterns: tuple["re.Pattern[str]", ...] = ()

    def json(self, text: str) -> object:
        """A JSON body as a value without what is not to be told. Raises: ValueError where it is no JSON."""
        value = json.loads(text)
        for path in self.paths:
            value = replaced(value, path, REDACTED)
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
    paths: list[Path] = []
    patterns: list[re.Pattern[str]] = []
    for rule in rules:
        if len(rule) > 2 and rule.startswith("/") and rule.endswith("/"):
            try:
                patterns.append(re.compile(rule[1:-1]))
            except re.error as e:
                raise ValueError(f"{rule} is not a regular expression: {e}") from e
        else:
            try:
                paths.append(path_of(rule))
            except ValueError as e:
                raise ValueError(f"{e}; a regular expression as /regex/") from e
    return Redaction(tuple(paths), tuple(patterns))

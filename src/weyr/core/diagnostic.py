"""How does a user learn what is wrong? As a value: fixed summary, detail, place, next step."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """FATAL: Weyr refuses to go on. WARN: it goes on and says so. INFO: worth knowing."""

    FATAL = "fatal"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file. Lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `summary` carries no names, so that it can be searched; `detail` says what,
    where and why in full sentences; `suggestion` is one command or edit to try next."""

    summary: str
    detail: str
    severity: Severity = Severity.FATAL
    place: Place | None = None
    ref: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        where = " ".join(part for part in (str(self.place or ""), self.ref) if part)
        head = f"{self.severity.value}: {self.summary}"
        body = f"  {where}: {self.detail}" if where else f"  {self.detail}"
        return "\n".join([head, body, *([f"  try: {self.suggestion}"] if self.suggestion else [])])


class WeyrError(Exception):
    """The root of what Weyr raises on purpose.

    WeyrError
    ├── UserError        something the user can mend; carries diagnostics
    │   └── WorldMoved   a saved plan no longer fits what is there
    ├── EngineError      an engine could not do what it was told
    │   ├── EngineSilent no answer in time; nothing is known about the object
    │   └── EngineRefused it answered no, and will again
    └── StoreError       the store could not keep or give what it was asked
        └── Fenced       another server holds the lease; nothing was written
    """


class UserError(WeyrError):
    """Something the user can mend. Every problem found is in `diagnostics`, not only the first."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        assert diagnostics, "a UserError must say what is wrong"
        super().__init__("\n".join(str(d) for d in diagnostics))
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics


class WorldMoved(UserError):
    """The plan was made for another state of the stack; nothing was changed."""


class EngineError(WeyrError):
    """An engine could not do what it was told."""


class EngineSilent(EngineError):
    """The engine did not answer in time; nothing is known about the object."""


class EngineRefused(EngineError):
    """The engine answered no, and will answer no again until something changes."""


class StoreError(WeyrError):
    """The store could not keep or give what it was asked."""


class Fenced(StoreError):
    """Another server holds the lease by now; nothing was written."""


PREFIX_MIN = 3


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, if any is near enough."""
    words = list(known)
    matches: Sequence[str] = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if matches:
        return matches[0]
    # `idle` for `idle_after`: too unlike by its letters, and plain to a reader.
    longer = [each for each in words if len(word) >= PREFIX_MIN and each.startswith(word)]
    return longer[0] if len(longer) == 1 else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence to append to a detail: the nearest word, or all of them when they are few."""
    words = sorted(known)
    match = nearest(word, words)
    if match:
        return f' Did you mean "{match}"?'
    return f" Known: {', '.join(words)}." if 0 < len(words) <= 12 else ""

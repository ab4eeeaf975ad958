"""What did the processes count whose place this one has taken? Their counters, handed on so that none goes backwards.

A process that is asked for its place writes what it counted into a file, and writes it again whenever it shows its
counts to anybody, while its callers leave, and when it ends. So what its successor adds to its own is never less than
what was shown. Only who takes a place inherits: after a crash counting begins at 0, which Prometheus knows how to read,
where a large part of what was counted before would look to it like requests of one moment.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weyr.gateway.inference.figures import Figures, added, from_plain, plain

SUFFIX = ".counts"


@dataclass(slots=True)
class Before:
    """The counts of those before us. `open` are files that may still be written; what the others told is in `kept`."""

    kept: Figures = field(default_factory=dict)
    open: list[Path] = field(default_factory=list)
    is_bequeathed: bool = False
    """From then on our own successor reads these files too, and none is removed under its eyes."""

    def figures(self) -> Figures:
        """All that they counted, as far as they have told. A file that cannot be read tells nothing."""
        whole, waiting = self.kept, list(self.open)
        while waiting:
            path = waiting.pop()
            told = _read(path)
            if told is None:
                continue
            figures, heir_of, is_final = told
            whole = added(whole, figures)
            waiting += heir_of
            if is_final and path in self.open and not self.is_bequeathed:
                self.open.remove(path)
                self.open += heir_of
                self.kept = added(self.kept, figures)
                path.unlink(missing_ok=True)
        return whole


class Bequest:
    """What this process leaves to its successor, once somebody has asked. `figures` gives its own counts."""

    def __init__(self, path: Path, before: Before, figures: Callable[[], Figures]) -> None:
        self._path, self._before, self._figures = path, before, figures

    def begin(self) -> Path:
        """Somebody is to take our place."""
        self._before.is_bequeathed = True
        self.write()
        return self._path

    def write(self, is_final: bool = False) -> None:
        """Writes it down as it is now. Where that fails the successor goes on from what was written before."""
        if not self._before.is_bequeathed:
            return
        figures = added(self._figures(), self._before.kept)
        said = {"figures": plain(figures), "heir_of": [str(path) for path in self._before.open], "is_final": is_final}
        draft = self._path.with_suffix(".tmp")
        with suppress(OSError):
            draft.write_text(json.dumps(said, separators=(",", ":")))
            draft.replace(self._path)

    def close(self, is_followed: bool) -> None:
        """Writes down the last of it, or takes back what nobody will read."""
        if is_followed:
            self.write(is_final=True)
            return
        for path in (self._path, *self._before.open):
            path.unlink(missing_ok=True)


def _read(path: Path) -> tuple[Figures, list[Path], bool] | None:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        return from_plain(said["figures"]), [Path(each) for each in said["heir_of"]], bool(said["is_final"])
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None

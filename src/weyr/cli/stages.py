"""How is progress shown? A table that redraws itself on a terminal, one line per event anywhere else."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from weyr.cli.feed import Event
from weyr.cli.follow import Stage
from weyr.cli.objects import STANDING, Row
from weyr.cli.screen import clock, say
from weyr.core.phase import Phase
from weyr.core.units import duration_text

_SIGNS = {
    Phase.WAITING: "·", Phase.WORKING: "▸", Phase.READY: "✓", Phase.DONE: "✓", Phase.FAILED: "✗", Phase.HELD: "‖",
    Phase.UNKNOWN: "?", Phase.REMOVING: "▸", Phase.SKIPPED: "-",
}  # fmt: skip
_STYLES = {
    Phase.WAITING: "yellow", Phase.WORKING: "cyan", Phase.READY: "green", Phase.DONE: "green", Phase.FAILED: "bold red",
    Phase.HELD: "yellow", Phase.UNKNOWN: "magenta", Phase.REMOVING: "yellow", Phase.SKIPPED: "dim",
}  # fmt: skip


@contextmanager
def stage() -> Iterator[Stage]:
    """The stage that fits stderr: a live table on a terminal, lines otherwise."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    live = Table()
    with live.running():
        yield live


class Lines:
    """One line per event: for pipes and logs."""

    def tell(self, event: Event) -> None:
        say(progress_text(event))

    def show(self, rows: Sequence[Row]) -> None:
        """Nothing: what changed was told as an event."""


class Table:
    """A table of the objects that stays in place; events scroll by above it."""

    def __init__(self) -> None:
        # Rich is loaded here: pipes and every other verb do without it.
        self._console = import_module("rich.console").Console(stderr=True, highlight=False)
        self._table, self._text = import_module("rich.table").Table, import_module("rich.text").Text
        self._live: Any = None
        self._since: dict[str, tuple[Phase, float]] = {}
        self._took: dict[str, float] = {}
        self._began = time.monotonic()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Draws until the block ends; the last table stays on the screen."""
        live = import_module("rich.live").Live
        with live(console=self._console, auto_refresh=False, vertical_overflow="ellipsis") as self._live:
            yield

    def tell(self, event: Event) -> None:
        self._console.print(self._text(progress_text(event), style="dim", overflow="ellipsis"), soft_wrap=False)

    def show(self, rows: Sequence[Row]) -> None:
        now = time.monotonic()
        for row in rows:
            phase, _ = self._since.get(row.ref, (None, now))
            if phase != row.phase:
                self._since[row.ref] = (row.phase, now)
        self._live.update(self._drawn(rows, now), refresh=True)

    def _drawn(self, rows: Sequence[Row], now: float) -> Any:
        table = self._table(box=None, pad_edge=False, show_header=True, header_style="dim", expand=False)
        table.add_column("")
        table.add_column("OBJECT", no_wrap=True, max_width=34, overflow="ellipsis")
        table.add_column("PHASE", no_wrap=True)
        table.add_column("FOR", no_wrap=True, justify="right")
        table.add_column("WHAT", no_wrap=True, overflow="ellipsis")
        for row in rows:
            style = _STYLES[row.phase]
            table.add_row(
                self._text(_SIGNS[row.phase], style=style), row.ref, self._text(row.phase.value, style=style),
                self._elapsed(row, now), self._text(" ".join(row.message.split())),
            )  # fmt: skip
        return table

    def _elapsed(self, row: Row, now: float) -> str:
        """How long the object has been at it; for one that stands, how long it took."""
        _, since = self._since[row.ref]
        if row.phase in STANDING:
            return duration_text(self._took.setdefault(row.ref, round(since - self._began, 1)))
        self._took.pop(row.ref, None)
        return duration_text(float(int(now - since)))


def progress_text(event: Event) -> str:
    """An event as one line for somebody who watches: when, whose, what."""
    what = event.event.removeprefix("phase.") if event.event.startswith("phase.") else ""
    said = ": ".join(part for part in (what, event.message) if part)
    return f"{clock(event.at)}  {event.ref or event.stack}  {said or event.event}"


def event_text(event: Event) -> str:
    """An event as one line with its fixed name, which can be searched for."""
    return f"{clock(event.at)}  {event.ref or event.stack}  {event.event}  {event.message}".rstrip()

"""How far along is something that takes its time? A bar on a terminal, and nothing anywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what to call with how many bytes are done, of how many."""
    with _shown(what, "DownloadColumn") as tell:
        yield tell


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what to call with how many of something are done, of how many."""
    with _shown(what, "MofNCompleteColumn") as tell:
        yield tell


@contextmanager
def shared(what: str) -> Iterator[Callable[[float], None]]:
    """Gives what to call with which share is done, 0 to 1."""
    with _shown(what, "TaskProgressColumn") as tell:
        yield lambda share: tell(round(share * 1000), 1000)


@contextmanager
def _shown(what: str, figures: str) -> Iterator[Callable[[int, int], None]]:
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    # Rich is loaded here: pipes do without it.
    progress = import_module("rich.progress")
    console = import_module("rich.console").Console(stderr=True)
    columns = (
        progress.TextColumn(what),
        progress.BarColumn(),
        getattr(progress, figures)(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what)
        yield lambda done, total: shown.update(task, completed=done, total=max(total, done))

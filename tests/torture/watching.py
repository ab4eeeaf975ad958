"""Did anything run twice at once? Watched from outside in two ways: /proc, and the training's own record."""

import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from victims import Process, processes_of

LOOK_EVERY_S = 0.04


@dataclass
class Span:
    """One process of the job, from its own lines: when it began, its last sign of life, how it ended."""

    task: str
    pid: int
    began: float
    last: float
    code: int | None = None


@dataclass
class Watch:
    """Looks at /proc until it is told to stop. `twice` is what must stay empty."""

    home: Path
    twice: list[str] = field(default_factory=list)
    looks: int = 0
    seen: Mapping[int, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="watch")

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _keep_looking(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            self.seen = processes_of(self.home)
            self.looks += 1
            self.twice += doubles(self.seen)


def doubles(seen: Mapping[int, Process]) -> list[str]:
    """More than one process of the job, whichever attempt; more than one of the same replica."""
    running: dict[str, list[Process]] = defaultdict(list)
    for process in seen.values():
        if process.parent in seen and seen[process.parent].program == process.program:
            continue  # forked by the program itself, to become another one
        if process.program == "task":
            running["the job"].append(process)
        elif process.program == "replica":
            running[process.task].append(process)
    return [f"{what} runs {len(those)} times: {those}" for what, those in running.items() if len(those) > 1]


def spans_of(record: Path) -> list[Span]:
    """The record's processes, in the order in which they began."""
    spans: dict[tuple[str, int], Span] = {}
    for line in lines_of(record):
        at, key = float(line["at"]), (str(line["task"]), int(line["pid"]))
        span = spans.setdefault(key, Span(*key, began=at, last=at))
        span.last = at
        if line["what"] == "end":
            span.code = int(line["code"])
    return sorted(spans.values(), key=lambda span: span.began)


def lines_of(record: Path) -> list[dict[str, Any]]:
    """Every whole line, in order."""
    lines = record.read_text().splitlines(keepends=True) if record.exists() else []
    # The last one may be on its way to the file while it is read here, and stay half where its writer was killed.
    return [json.loads(line) for line in lines if line.endswith("\n")]


def overlaps(record: Path) -> list[str]:
    """What the training itself says of two processes at once."""
    said = [f"{line['task']} found another alive" for line in lines_of(record) if line["what"] == "twice"]
    spans = spans_of(record)
    return said + [f"{b} began while {a} was alive" for a, b in pairwise(spans) if b.began < a.last]

"""What does one of what people make cost: an answer, a token, a training run, a version of a model or of data? Pure.

What an object spent in a time, over what was counted of it in the same time. Idle time is in it. Amounts are integer
micro-units, rounded down once; of nothing there is no price.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.ref import ThingId
from weyr.ledger.allocation import divided

WEIGHT_MAX = 100


class Unit(StrEnum):
    """What a row of unit costs is of."""

    ENDPOINT = "endpoint"
    RUN = "run"
    MODEL = "model"
    DATASET = "dataset"
    EXPERIMENT = "experiment"


@dataclass(frozen=True, slots=True)
class Served:
    """What an endpoint or a service cost, and what it answered meanwhile."""

    key: str
    micros: int
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def per_thousand_requests(self) -> int | None:
        return self.micros * 1000 // self.requests if self.requests else None

    def per_million_tokens(self, weight: int) -> tuple[int | None, int | None]:
        """Of those read, and of those written, each of which counts as much as `weight` that are read: together they
        come to what was spent."""
        weighed = self.tokens_in + weight * self.tokens_out
        read = self.micros * 1_000_000 // weighed if self.tokens_in else None
        written = weight * self.micros * 1_000_000 // weighed if self.tokens_out else None
        return read, written


@dataclass(frozen=True, slots=True)
class Run:
    """A training run that a task logged: times in milliseconds, `ended_ms` None while it is open. `parent` is the run
    that it is nested in, "" for none; `datasets` and `models` are versions that it read and made, as NAME@VERSION."""

    id: str
    name: str
    experiment: str
    status: str
    task: ThingId
    started_ms: int
    ended_ms: int | None = None
    parent: str = ""
    datasets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """What several runs together cost."""

    key: str
    micros: int
    runs: int

    @property
    def per_run(self) -> int:
        return self.micros // self.runs


@dataclass(slots=True)
class _Sum:
    micros: int = 0
    runs: list[str] = field(default_factory=list)


def unit_of(text: str) -> Unit:
    """Raises: UserError, with the nearest word."""
    if text not in set(Unit):
        detail = f'Unit costs are of {", ".join(Unit)}, not of "{text}".{did_you_mean(text, list(Unit))}'
        raise UserError(Diagnostic("No unit costs of that", detail, suggestion="weyr cost units --by endpoint"))
    return Unit(text)


def weight_of(text: str) -> int:
    """Raises: UserError."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= WEIGHT_MAX:
        detail = f'A token that is written counts as much as so many that are read, 1 to {WEIGHT_MAX}, not "{text}".'
        raise UserError(Diagnostic("Not a weight", detail, suggestion="weyr cost units --weight 4"))
    return int(text)


def micros_of_runs(runs: Sequence[Run], spent: Mapping[ThingId, int], now_ms: int) -> dict[str, int]:
    """What each run cost: its task's spending, shared among the task's runs by how long each was open.

    A run with others nested in it counts for the time that they leave over. What a task spends is shared out whole.
    """
    by_task: dict[ThingId, list[Run]] = {}
    for run in runs:
        by_task.setdefault(run.task, []).append(run)
    found: dict[str, int] = {}
    for task, mine in by_task.items():
        weights = _weights(mine, now_ms)
        parts = divided(spent.get(task, 0), weights if any(weights) else [1] * len(mine))
        found |= dict(zip((run.id for run in mine), parts, strict=True))
    return found


def made(runs: Iterable[Run], micros: Mapping[str, int], unit: Unit) -> tuple[Made, ...]:
    """By version of a model that runs made, by version of data that they read, or by experiment; dearest first.

    A run that read two datasets is what each of them cost: they add up to more than all runs did.
    """
    sums: dict[str, _Sum] = {}
    for run in runs:
        keys = {Unit.MODEL: run.models, Unit.DATASET: run.datasets, Unit.EXPERIMENT: (run.experiment,)}[unit]
        for key in dict.fromkeys(keys):
            found = sums.setdefault(key, _Sum())
            found.micros += micros[run.id]
            found.runs.append(run.id)
    rows = (Made(key, found.micros, len(found.runs)) for key, found in sums.items())
    return tuple(sorted(rows, key=lambda row: (-row.micros, row.key)))


def _weights(runs: Sequence[Run], now_ms: int) -> list[int]:
    open_ms = {run.id: max(0, (now_ms if run.ended_ms is None else run.ended_ms) - run.started_ms) for run in runs}
    nested_ms: dict[str, int] = {}
    for run in runs:
        nested_ms[run.parent] = nested_ms.get(run.parent, 0) + open_ms[run.id]
    return [max(0, open_ms[run.id] - nested_ms.get(run.id, 0)) for run in runs]

"""Which runs were logged by tasks, from what, and what came of them? What the ledger needs to say what each cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, String, cast, select

from weyr.store.database import Database
from weyr.store.tables.tracking import ACTIVE, experiments, model_versions, run_datasets, run_tags, runs
from weyr.tracking.runs import TASK_TAG

RUNS_MAX = 10_000
_AT_ONCE = 500
Text = ColumnElement[str]
Found = Mapping[str, tuple[str, ...]]
_PARENT_TAG = "mlflow.parentRunId"


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run and the task that began it, such as `task:digits:job/train#2`. Datasets are name@digest, models
    name@version. Times are Unix milliseconds."""

    id: str
    name: str
    experiment: str
    status: str
    task: str
    started_ms: int
    ended_ms: int | None
    parent: str
    datasets: tuple[str, ...]
    models: tuple[str, ...]


def task_runs(db: Database, stack: str | None, from_ms: int, to_ms: int) -> list[TaskRun]:
    """The runs of tasks that were begun in a time, newest first: the newest `RUNS_MAX` of them."""
    tags = run_tags.alias()
    query = select(runs, experiments.c.name.label("experiment"), tags.c.value.label("task"))
    query = query.join(experiments).join(tags, (tags.c.run_id == runs.c.run_id) & (tags.c.key == TASK_TAG))
    query = query.where(runs.c.lifecycle_stage == ACTIVE, runs.c.started_ms >= from_ms, runs.c.started_ms < to_ms)
    if stack is not None:
        query = query.where(tags.c.value.startswith(f"task:{stack}:", autoescape=True))
    query = query.order_by(runs.c.started_ms.desc(), runs.c.run_id).limit(RUNS_MAX)
    with db.read() as connection:
        rows = connection.execute(query).all()
        ids = [row.run_id for row in rows]
        parents = _pairs(connection, ids, run_tags.c.run_id, run_tags.c.value, run_tags.c.key == _PARENT_TAG)
        read = _pairs(connection, ids, run_datasets.c.run_id, run_datasets.c.name + "@" + run_datasets.c.digest)
        version = model_versions.c.name + "@" + cast(model_versions.c.version, String)
        came = _pairs(connection, ids, model_versions.c.run_id, version)
    return [
        TaskRun(
            row.run_id, row.name, row.experiment, row.status, row.task, row.started_ms, row.ended_ms,
            "".join(parents.get(row.run_id, ())), read.get(row.run_id, ()), came.get(row.run_id, ()),
        )
        for row in rows
    ]  # fmt: skip


def _pairs(connection: Connection, ids: list[str], key: Text, value: Text, *where: ColumnElement[bool]) -> Found:
    found: dict[str, list[str]] = {}
    for begin in range(0, len(ids), _AT_ONCE):
        query = select(key, value).where(key.in_(ids[begin : begin + _AT_ONCE]), *where).order_by(key, value)
        for id, text in connection.execute(query):
            found.setdefault(id, []).append(text)
    return {id: tuple(texts) for id, texts in found.items()}

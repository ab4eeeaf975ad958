"""What happened in a run? Made, logged to, finished, deleted and restored; one transaction per call."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import experiments, latest_metrics, params, run_tags, runs
from weyr.tracking import names
from weyr.tracking.comparing import last_of_each
from weyr.tracking.entities import DatasetInput, Lifecycle, Metric, ModelUse, Param, Run, RunHead, RunStatus, Tag
from weyr.tracking.errors import invalid, missing
from weyr.tracking.experiments import active_experiment
from weyr.tracking.gathering import grouped
from weyr.tracking.inputs import add_datasets, add_models, check_inputs, datasets_of, models_of
from weyr.tracking.metrics import append_metrics, metric_of
from weyr.tracking.places import join
from weyr.tracking.prepared import Prepared
from weyr.tracking.run_names import name_for
from weyr.tracking.writer import Writer

NAME_TAG = "mlflow.runName"
MODELS_TAG = "mlflow.log-model.history"
TASK_TAG = "weyr.task"
"""Which task's token made or resumed the run. Set here only, so that no client can claim another's."""

_tag = upsert(run_tags)
_put_tag = Prepared(
    _tag.on_conflict_do_update(index_elements=["run_id", "key"], set_={"value": _tag.excluded.value}),
    ("run_id", "key", "value"),
)
_stage_of = Prepared(select(runs.c.lifecycle_stage).where(runs.c.run_id == bindparam("run_id")))
_put_param = Prepared(insert(params), ("run_id", "key", "value"))
_left_running = (
    select(runs.c.run_id, experiments.c.name, run_tags.c.value)
    .join_from(runs, run_tags)
    .join(experiments, experiments.c.experiment_id == runs.c.experiment_id)
    .where(runs.c.status == RunStatus.RUNNING.value, run_tags.c.key == TASK_TAG)
    .where(experiments.c.name.in_(bindparam("names", expanding=True)))
    .where(run_tags.c.value.in_(bindparam("tasks", expanding=True)))
)
TASKS_MAX = 500
"""How many tasks one statement asks of: a database's bound on a statement's values is far above it."""


class Runs:
    """The runs of one store. `now_ms` is Unix time in milliseconds; `new_id` gives ids never given before."""

    def __init__(self, db: Database, writer: Writer, now_ms: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._db = db
        self._writer = writer
        self._now_ms = now_ms
        self._new_id = new_id

    def create(
        self, experiment_id: str, name: str, user_id: str, started_ms: int | None, tags: Sequence[Tag], task: str
    ) -> Run:
        """Takes `task`: who the caller is when it is a task, else empty text.

        Raises TrackingError when the experiment is not there or deleted, or the name is given twice.
        """
        for tag in tags:
            names.check_tag(tag)
        tagged = next((tag.value for tag in tags if tag.key == NAME_TAG), "")
        if name and tagged and name != tagged:
            raise invalid(
                "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                f"(run_name='{name}', mlflow.runName='{tagged}')."
            )
        run_id = self._new_id()
        shown = name or tagged or name_for(run_id)
        kept = (*(tag for tag in last_of_each(tags) if tag.key not in (NAME_TAG, TASK_TAG)), Tag(NAME_TAG, shown))
        if task:
            kept = (*kept, Tag(TASK_TAG, task))

        def work(connection: Connection) -> Run:
            experiment = active_experiment(connection, experiment_id or "0")
            at = self._now_ms() if started_ms is None else started_ms
            head = RunHead(
                run_id,
                experiment.experiment_id,
                shown,
                user_id,
                RunStatus.RUNNING,
                at,
                None,
                Lifecycle.ACTIVE,
                join(experiment.artifact_location, run_id, "artifacts"),
            )
            connection.execute(insert(runs).values(_row_of(head)))
            _put_tags(connection, run_id, kept)
            return Run(head, tags=kept)

        return self._writer.run(work)

    def get(self, run_id: str) -> Run:
        """Also a deleted run. Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
        with self._db.read() as connection:
            return whole_runs(connection, [_row(connection, run_id)])[0]

    def get_head(self, run_id: str) -> RunHead:
        """Without what was logged. Raises TrackingError: RESOURCE_DOES_NOT_EXIST."""
        with self._db.read() as connection:
            return head_of(_row(connection, run_id))

    def update(self, run_id: str, status: RunStatus | None, ended_ms: int | None, name: str, task: str) -> RunHead:
        """A task that sets its run running again has resumed it, and owns it from then on."""

        def work(connection: Connection) -> RunHead:
            _check_active(connection, run_id)
            changes: dict[str, Any] = {}
            if status is not None:
                changes["status"] = status.value
                changes["ended_ms"] = ended_ms
            elif ended_ms is not None:
                changes["ended_ms"] = ended_ms
            if name:
                changes["name"] = name
                _put_tags(connection, run_id, (Tag(NAME_TAG, name),))
            if status is RunStatus.RUNNING and task:
                _put_tags(connection, run_id, (Tag(TASK_TAG, task),))
            if changes:
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(changes))
            return head_of(_row(connection, run_id))

        return self._writer.run(work)

    def end_left(self, ended: Mapping[str, tuple[str, RunStatus]]) -> int:
        """As `Tracking.end_running`."""
        tasks = [*ended]
        parts = [tasks[first : first + TASKS_MAX] for first in range(0, len(tasks), TASKS_MAX)]
        return sum(self._end_some({task: ended[task] for task in part}) for part in parts)

    def _end_some(self, ended: Mapping[str, tuple[str, RunStatus]]) -> int:
        # Most tasks leave none, and many end at once: a look is no turn at writing.
        with self._db.read() as connection:
            if not _left_by(connection, ended):
                return 0

        def work(connection: Connection) -> int:
            left = _left_by(connection, ended)
            for run_id, status in left.items():
                values = {"status": status.value, "ended_ms": self._now_ms()}
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(values))
            return len(left)

        return self._writer.run(work)

    def delete(self, run_id: str) -> None:
        """Hidden, and can be restored. Idempotent."""
        self._writer.run(lambda connection: self._move(connection, run_id, Lifecycle.DELETED))

    def restore(self, run_id: str) -> None:
        self._writer.run(lambda connection: self._move(connection, run_id, Lifecycle.ACTIVE))

    def log(
        self, run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[Tag] = ()
    ) -> None:
        """One batch: all of it is kept, or nothing. Idempotent, so that a client may send it again.

        Raises TrackingError: a run that is not there or not active, a param that has another value.
        """
        names.check_run_id(run_id)
        names.check_batch(metrics, params, tags)
        _check_own_tags(tags)

        def work(connection: Connection) -> None:
            _check_active(connection, run_id)
            _put_params(connection, run_id, params)
            append_metrics(connection, run_id, metrics)
            _put_tags(connection, run_id, tags)
            shown = next((tag.value for tag in reversed(tags) if tag.key == NAME_TAG), "")
            if shown:
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(name=shown))

        self._writer.run(work)

    def delete_tag(self, run_id: str, key: str) -> None:
        _check_own_tags((Tag(key, ""),))

        def work(connection: Connection) -> None:
            _check_active(connection, run_id)
            here = (run_tags.c.run_id == run_id, run_tags.c.key == key)
            if not connection.execute(delete(run_tags).where(*here)).rowcount:
                raise missing(f"No tag with name: {key} in run with id {run_id}")

        self._writer.run(work)

    def log_inputs(self, run_id: str, datasets: Sequence[DatasetInput], models: Sequence[ModelUse]) -> None:
        """That the run read these datasets, and read or made these logged models. Idempotent."""
        check_inputs(datasets)

        def work(connection: Connection) -> None:
            _check_active(connection, run_id)
            add_datasets(connection, run_id, datasets)
            add_models(connection, run_id, models)

        self._writer.run(work)

    def log_model_record(self, run_id: str, model_json: str) -> None:
        """Notes in the run's tags that a model was logged, as clients before MLflow 3 ask for."""
        record = model_record(model_json)

        def work(connection: Connection) -> None:
            _check_active(connection, run_id)
            here = (run_tags.c.run_id == run_id, run_tags.c.key == MODELS_TAG)
            known = connection.scalar(select(run_tags.c.value).where(*here))
            kept = [*(json.loads(known) if known else []), record]
            _put_tags(connection, run_id, (Tag(MODELS_TAG, json.dumps(kept)),))

        self._writer.run(work)

    def _move(self, connection: Connection, run_id: str, lifecycle: Lifecycle) -> None:
        _row(connection, run_id)
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(lifecycle_stage=lifecycle.value))


def whole_runs(connection: Connection, rows: Sequence[Row[Any]]) -> list[Run]:
    """The runs with all that was logged to them, in the order of the rows."""
    ids = [row.run_id for row in rows]

    def tag_of(row: Row[Any]) -> Tag:
        return Tag(row.key, row.value)

    last = grouped(connection, select(latest_metrics), latest_metrics.c.run_id, ids, metric_of)
    own_params = grouped(connection, select(params), params.c.run_id, ids, tag_of)
    own_tags = grouped(connection, select(run_tags), run_tags.c.run_id, ids, tag_of)
    read = datasets_of(connection, ids)
    used = models_of(connection, ids)
    return [
        Run(
            head_of(row),
            last(row.run_id),
            own_params(row.run_id),
            own_tags(row.run_id),
            read(row.run_id),
            used(row.run_id),
        )
        for row in rows
    ]


def head_of(row: Row[Any]) -> RunHead:
    return RunHead(
        row.run_id,
        str(row.experiment_id),
        row.name,
        row.user_id,
        RunStatus(row.status),
        row.started_ms,
        row.ended_ms,
        Lifecycle(row.lifecycle_stage),
        row.artifact_uri,
    )


def model_record(model_json: str) -> object:
    """What the note says of a model. Raises TrackingError when it is no model's description."""
    try:
        described = json.loads(model_json)
    except ValueError as e:
        raise invalid(f"Malformed model info. \n {model_json} \n is not valid JSON.") from e
    absent = {"artifact_path", "flavors", "utc_time_created", "run_id"} - set(described)
    if absent:
        raise invalid(f"Model json is missing mandatory fields: {sorted(absent)}")
    return described


def _row(connection: Connection, run_id: str) -> Row[Any]:
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).first()
    if row is None:
        raise missing(f"Run with id={run_id} not found")
    return row


def _left_by(connection: Connection, ended: Mapping[str, tuple[str, RunStatus]]) -> dict[str, RunStatus]:
    """The runs that tasks left running, each in the task's own experiment, and how each is to end."""
    asked = {"tasks": [*ended], "names": [*{name for name, _ in ended.values()}]}
    rows = connection.execute(_left_running, asked)
    return {run_id: ended[task][1] for run_id, name, task in rows if ended[task][0] == name}


def _check_active(connection: Connection, run_id: str) -> None:
    stage = _stage_of.first(connection, run_id=run_id)
    if stage is None:
        raise missing(f"Run with id={run_id} not found")
    if stage != Lifecycle.ACTIVE.value:
        raise invalid(f"The run {run_id} must be in the 'active' state. Current state is {stage}.")


def _row_of(head: RunHead) -> dict[str, Any]:
    return {
        "run_id": head.run_id,
        "experiment_id": int(head.experiment_id),
        "name": head.name,
        "user_id": head.user_id,
        "status": head.status.value,
        "started_ms": head.started_ms,
        "ended_ms": head.ended_ms,
        "artifact_uri": head.artifact_uri,
    }


def _put_tags(connection: Connection, run_id: str, tags: Sequence[Tag]) -> None:
    if tags:
        rows = [{"run_id": run_id, "key": tag.key, "value": tag.value} for tag in last_of_each(tags)]
        _put_tag.run(connection, rows)


def _put_params(connection: Connection, run_id: str, wanted: Sequence[Param]) -> None:
    if not wanted:
        return
    keys = [param.key for param in wanted]
    query = select(params.c.key, params.c.value).where(params.c.run_id == run_id, params.c.key.in_(keys))
    known = {row.key: row.value for row in connection.execute(query)}
    for param in wanted:
        if param.key in known and known[param.key] != param.value:
            raise invalid(
                f"Changing param values is not allowed. Param with key='{param.key}' was already logged with "
                f"value='{known[param.key]}' for run ID='{run_id}'. Attempted logging new value '{param.value}'."
            )
    rows = [{"run_id": run_id, "key": p.key, "value": p.value} for p in wanted if p.key not in known]
    _put_param.run(connection, rows)


def _check_own_tags(tags: Sequence[Tag]) -> None:
    if any(tag.key == TASK_TAG for tag in tags):
        raise invalid(f"The tag '{TASK_TAG}' says which task a run belongs to. Weyr sets it.")

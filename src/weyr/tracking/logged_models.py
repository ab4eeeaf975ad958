"""Which models did runs log? MLflow 3 keeps a model as a thing of its own, with files, params and scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, exists, insert, or_, select, update

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import (
    ACTIVE,
    DELETED,
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    model_versions,
    runs,
)
from weyr.tracking import names
from weyr.tracking.comparing import NUMBER_OPERATORS, attribute_condition, condition, last_of_each, tag_condition
from weyr.tracking.entities import LoggedModel, Metric, ModelStatus, Page, Tag
from weyr.tracking.errors import invalid, missing
from weyr.tracking.experiments import active_experiment, numbers_of
from weyr.tracking.filters import Comparison, Entity, OrderBy, check_operator, parse_filter
from weyr.tracking.gathering import grouped
from weyr.tracking.metrics import metric_of
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.places import join
from weyr.tracking.run_names import name_for
from weyr.tracking.writer import Writer

RESULTS_MAX = 5000

_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "name": logged_models.c.name,
    "model_id": logged_models.c.model_id,
    "model_type": logged_models.c.model_type,
    "status": logged_models.c.status,
    "source_run_id": logged_models.c.source_run_id,
    "experiment_id": logged_models.c.experiment_id,
    **dict.fromkeys(("creation_time", "creation_timestamp"), logged_models.c.created_ms),
    **dict.fromkeys(("last_updated_time", "last_updated_timestamp"), logged_models.c.updated_ms),
}
_NUMBERS = frozenset({"creation_time", "creation_timestamp", "last_updated_time", "last_updated_timestamp"})


class LoggedModels:
    """The logged models of one store."""

    def __init__(self, db: Database, writer: Writer, now_ms: Callable[[], int], new_id: Callable[[], str]) -> None:
        self._db = db
        self._writer = writer
        self._now_ms = now_ms
        self._new_id = new_id

    def create(
        self,
        experiment_id: str,
        name: str,
        model_type: str,
        source_run_id: str,
        params: Sequence[Tag],
        tags: Sequence[Tag],
    ) -> LoggedModel:
        """A model whose files are still to come. Raises TrackingError when the experiment is not there."""
        names.check_logged_model_name(name)
        for tag in tags:
            names.check_tag(tag)
        for param in params:
            names.check_param(param)
        model_id = f"m-{self._new_id()}"
        shown = name or name_for(model_id)

        def work(connection: Connection) -> LoggedModel:
            experiment = active_experiment(connection, experiment_id)
            if source_run_id and not connection.execute(select(1).where(runs.c.run_id == source_run_id)).first():
                raise missing(f"Run with id={source_run_id} not found")
            now = self._now_ms()
            row = {
                "model_id": model_id,
                "experiment_id": int(experiment.experiment_id),
                "name": shown,
                "artifact_uri": join(experiment.artifact_location, "models", model_id, "artifacts"),
                "status": ModelStatus.PENDING.value,
                "model_type": model_type,
                "source_run_id": source_run_id,
                "created_ms": now,
                "updated_ms": now,
            }
            connection.execute(insert(logged_models).values(row))
            _put(connection, logged_model_params, model_id, params)
            _put(connection, logged_model_tags, model_id, tags)
            return _require(connection, model_id)

        return self._writer.run(work)

    def get(self, model_id: str, with_deleted: bool = False) -> LoggedModel:
        with self._db.read() as connection:
            return _require(connection, model_id, with_deleted)

    def finalize(self, model_id: str, status: ModelStatus) -> LoggedModel:
        """Says that its files are whole, or that they could not be sent."""

        def work(connection: Connection) -> LoggedModel:
            _require(connection, model_id)
            self._change(connection, model_id, status=status.value)
            return _require(connection, model_id)

        return self._writer.run(work)

    def delete(self, model_id: str) -> None:
        """Hidden; its files stay."""

        def work(connection: Connection) -> None:
            _require(connection, model_id)
            self._change(connection, model_id, lifecycle_stage=DELETED)

        self._writer.run(work)

    def set_tags(self, model_id: str, tags: Sequence[Tag]) -> None:
        for tag in tags:
            names.check_tag(tag)

        def work(connection: Connection) -> None:
            _require(connection, model_id)
            _put(connection, logged_model_tags, model_id, tags)

        self._writer.run(work)

    def delete_tag(self, model_id: str, key: str) -> None:
        def work(connection: Connection) -> None:
            _require(connection, model_id)
            here = (logged_model_tags.c.model_id == model_id, logged_model_tags.c.key == key)
            if not connection.execute(delete(logged_model_tags).where(*here)).rowcount:
                raise missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")

        self._writer.run(work)

    def log_params(self, model_id: str, params: Sequence[Tag]) -> None:
        for param in params:
            names.check_param(param)

        def work(connection: Connection) -> None:
            _require(connection, model_id)
            _put(connection, logged_model_params, model_id, params)

        self._writer.run(work)

    def search(
        self,
        experiment_ids: Sequence[str],
        filter_text: str,
        datasets: Sequence[tuple[str, str]],
        order_by: Sequence[OrderBy],
        limit: int,
        token: str,
    ) -> Page[LoggedModel]:
        """Takes `datasets`: (name, digest or empty) pairs; only scores on one of them count."""
        query = select(logged_models).where(
            logged_models.c.experiment_id.in_(numbers_of(experiment_ids)), logged_models.c.lifecycle_stage == ACTIVE
        )
        for comparison in parse_filter(filter_text):
            query = query.where(_condition(comparison, datasets))
        if datasets:
            query = query.where(_scored(datasets))
        keys = [key for asked in order_by for key in _order_keys(asked)]
        offset = offset_of(token)
        query = query.order_by(*keys, logged_models.c.created_ms.desc(), logged_models.c.model_id)
        with self._db.read() as connection:
            page = page_of(connection.execute(query.limit(limit + 1).offset(offset)).all(), offset, limit)
            return Page(tuple(_whole(connection, page.items)), page.token)

    def _change(self, connection: Connection, model_id: str, **values: object) -> None:
        here = logged_models.c.model_id == model_id
        connection.execute(update(logged_models).where(here).values(updated_ms=self._now_ms(), **values))


def _require(connection: Connection, model_id: str, with_deleted: bool = False) -> LoggedModel:
    query = select(logged_models).where(logged_models.c.model_id == model_id)
    row = connection.execute(query).first()
    if row is None or (row.lifecycle_stage == DELETED and not with_deleted):
        raise missing(f"Logged model with ID '{model_id}' not found.")
    return _whole(connection, [row])[0]


def _whole(connection: Connection, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
    ids = [row.model_id for row in rows]

    def tag_of(row: Row[Any]) -> Tag:
        return Tag(row.key, row.value)

    def score_of(row: Row[Any]) -> Metric:
        point = metric_of(row)
        return Metric(
            point.key,
            point.value,
            point.at_ms,
            point.step,
            row.model_id,
            row.dataset_name,
            row.dataset_digest,
            row.run_id,
        )

    def registration_of(row: Row[Any]) -> tuple[str, int]:
        return row.name, row.version

    tags = grouped(connection, select(logged_model_tags), logged_model_tags.c.model_id, ids, tag_of)
    params = grouped(connection, select(logged_model_params), logged_model_params.c.model_id, ids, tag_of)
    scores = grouped(connection, select(logged_model_metrics), logged_model_metrics.c.model_id, ids, score_of)
    versions = grouped(connection, select(model_versions), model_versions.c.model_id, ids, registration_of)
    return [
        LoggedModel(
            row.model_id,
            str(row.experiment_id),
            row.name,
            row.artifact_uri,
            ModelStatus(row.status),
            row.model_type,
            row.source_run_id,
            row.created_ms,
            row.updated_ms,
            tags(row.model_id),
            params(row.model_id),
            scores(row.model_id),
            versions(row.model_id),
        )
        for row in rows
    ]


def _put(connection: Connection, table: Any, model_id: str, pairs: Sequence[Tag]) -> None:
    rows = [{"model_id": model_id, "key": pair.key, "value": pair.value} for pair in last_of_each(pairs)]
    if rows:
        put = upsert(table)
        replace = put.on_conflict_do_update(index_elements=["model_id", "key"], set_={"value": put.excluded.value})
        connection.execute(replace, rows)


def _condition(asked: Comparison, datasets: Sequence[tuple[str, str]]) -> ColumnElement[bool]:
    own = logged_models.c.model_id
    match asked.entity:
        case Entity.ATTRIBUTE:
            return attribute_condition(_COLUMNS, _NUMBERS, asked)
        case Entity.TAG:
            return tag_condition(logged_model_tags, [(logged_model_tags.c.model_id, own)], asked)
        case Entity.PARAM:
            return tag_condition(logged_model_params, [(logged_model_params.c.model_id, own)], asked)
        case Entity.METRIC:
            check_operator(asked, NUMBER_OPERATORS)
            score = logged_model_metrics.c
            return _scored(datasets, score.key == asked.key, condition(score.value, asked.operator, asked.value))
        case Entity.DATASET:
            raise invalid("Datasets are given beside the filter, not in it.")


def _scored(datasets: Sequence[tuple[str, str]], *said: ColumnElement[bool]) -> ColumnElement[bool]:
    score = logged_model_metrics.c
    here = [score.model_id == logged_models.c.model_id, *said]
    if datasets:
        of_one = [
            and_(score.dataset_name == name, score.dataset_digest == digest) if digest else score.dataset_name == name
            for name, digest in datasets
        ]
        here.append(or_(*of_one))
    return exists(select(1).where(*here))


def _order_keys(asked: OrderBy) -> list[ColumnElement[Any]]:
    if asked.entity is Entity.ATTRIBUTE:
        column = _COLUMNS.get(asked.key)
        if column is None:
            raise invalid(f"Invalid order by field name: '{asked.key}'. Valid keys are '{sorted(_COLUMNS)}'")
        return [column.asc() if asked.is_ascending else column.desc()]
    if asked.entity is not Entity.METRIC:
        raise invalid(f"Invalid order by field name: {asked.entity}.{asked.key}")
    score = logged_model_metrics.alias().c
    newest = (
        select(score.value)
        .where(and_(score.model_id == logged_models.c.model_id, score.key == asked.key))
        .order_by(score.at_ms.desc(), score.step.desc())
        .limit(1)
        .scalar_subquery()
    )
    return [case((newest.is_(None), 1), else_=0), newest.asc() if asked.is_ascending else newest.desc()]

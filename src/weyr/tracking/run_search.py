"""Which runs match? MLflow's filter and order over experiments, one page at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, case, exists, select
from sqlalchemy.sql.selectable import FromClause

from weyr.store.database import Database
from weyr.store.tables.tracking import latest_metrics, params, run_dataset_tags, run_datasets, run_tags, runs
from weyr.tracking.comparing import (
    NUMBER_OPERATORS,
    TEXT_OPERATORS,
    attribute_condition,
    condition,
    stage_condition,
    tag_condition,
)
from weyr.tracking.entities import Page, Run, View
from weyr.tracking.errors import invalid
from weyr.tracking.experiments import numbers_of
from weyr.tracking.filters import Comparison, Entity, OrderBy, check_operator, parse_filter, parse_order
from weyr.tracking.inputs import CONTEXT_TAG
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.runs import whole_runs

RESULTS_MAX = 50_000
ORDERS_MAX = 30
"""Each may join a table, and SQLite joins 64 at most."""

_COLUMNS: Mapping[str, Column[Any]] = {
    "run_id": runs.c.run_id,
    "run_name": runs.c.name,
    **dict.fromkeys(("run name", "Run name", "Run Name"), runs.c.name),
    "user_id": runs.c.user_id,
    "status": runs.c.status,
    "artifact_uri": runs.c.artifact_uri,
    "lifecycle_stage": runs.c.lifecycle_stage,
    "start_time": runs.c.started_ms,
    **dict.fromkeys(("created", "Created"), runs.c.started_ms),
    "end_time": runs.c.ended_ms,
}
_NUMBERS = frozenset({"start_time", "end_time", "created", "Created"})


def search_runs(
    db: Database,
    experiment_ids: Sequence[str],
    view: View,
    filter_text: str,
    order_by: Sequence[str],
    limit: int,
    token: str,
) -> Page[Run]:
    """Raises TrackingError for a filter or an order that cannot be read."""
    query = select(runs).where(runs.c.experiment_id.in_(numbers_of(experiment_ids)))
    in_view = stage_condition(runs.c.lifecycle_stage, view)
    if in_view is not None:
        query = query.where(in_view)
    for comparison in parse_filter(filter_text):
        query = query.where(_condition(comparison))
    if len(order_by) > ORDERS_MAX:
        raise invalid(f"A search may be ordered by at most {ORDERS_MAX} fields.")
    query = _ordered(query, [parse_order(text) for text in order_by])
    offset = offset_of(token)
    with db.read() as connection:
        rows = connection.execute(query.limit(limit + 1).offset(offset)).all()
        page = page_of(rows, offset, limit)
        return Page(tuple(whole_runs(connection, page.items)), page.token)


def _condition(asked: Comparison) -> ColumnElement[bool]:
    match asked.entity:
        case Entity.ATTRIBUTE:
            return attribute_condition(_COLUMNS, _NUMBERS, asked)
        case Entity.PARAM:
            return tag_condition(params, [(params.c.run_id, runs.c.run_id)], asked)
        case Entity.TAG:
            return tag_condition(run_tags, [(run_tags.c.run_id, runs.c.run_id)], asked)
        case Entity.METRIC:
            check_operator(asked, NUMBER_OPERATORS)
            last = latest_metrics.c
            return exists(
                select(1).where(
                    last.run_id == runs.c.run_id,
                    last.key == asked.key,
                    last.is_nan.is_(False),
                    condition(last.value, asked.operator, asked.value),
                )
            )
        case Entity.DATASET:
            return _dataset_condition(asked)


def _dataset_condition(asked: Comparison) -> ColumnElement[bool]:
    check_operator(asked, TEXT_OPERATORS)
    match asked.key:
        case "name" | "digest":
            column = run_datasets.c[asked.key]
            here = and_(run_datasets.c.run_id == runs.c.run_id, condition(column, asked.operator, asked.value))
        case "context":
            tag = run_dataset_tags.c
            said = condition(tag.value, asked.operator, asked.value)
            here = and_(tag.run_id == runs.c.run_id, tag.key == CONTEXT_TAG, said)
        case _:
            raise invalid(f"Invalid dataset key '{asked.key}' specified. Valid keys are 'context', 'digest', 'name'")
    return exists(select(1).where(here))


def _ordered(query: Select[Any], order_by: Sequence[OrderBy]) -> Select[Any]:
    source: FromClause = runs
    ordered: list[ColumnElement[Any]] = []
    for asked in order_by:
        source, keys = _order_keys(source, asked)
        ordered.extend(keys)
    if not any(asked.key in ("start_time", "created", "Created") for asked in order_by):
        ordered.append(runs.c.started_ms.desc())
    # The id last, so that pages never overlap.
    return query.select_from(source).order_by(*ordered, runs.c.run_id)


def _order_keys(source: FromClause, asked: OrderBy) -> tuple[FromClause, list[ColumnElement[Any]]]:
    match asked.entity:
        case Entity.ATTRIBUTE:
            column = _COLUMNS.get(asked.key)
            if column is None:
                raise invalid(f"Invalid order_by entity: '{asked.key}'. Valid keys are '{sorted(_COLUMNS)}'")
            return source, [column.is_(None), _directed(column, asked)]
        case Entity.METRIC:
            last = latest_metrics.alias()
            source = source.outerjoin(last, and_(last.c.run_id == runs.c.run_id, last.c.key == asked.key))
            # Numbers first, NaN after them, runs without the metric at the end: in either direction.
            rank = case((last.c.value.is_(None), 2), (last.c.is_nan.is_(True), 1), else_=0)
            return source, [rank, _directed(last.c.value, asked)]
        case Entity.PARAM | Entity.TAG:
            text = (params if asked.entity is Entity.PARAM else run_tags).alias()
            source = source.outerjoin(text, and_(text.c.run_id == runs.c.run_id, text.c.key == asked.key))
            return source, [text.c.value.is_(None), _directed(text.c.value, asked)]
        case Entity.DATASET:
            raise invalid(f"Invalid order_by entity type '{asked.entity}'")


def _directed(column: ColumnElement[Any], asked: OrderBy) -> ColumnElement[Any]:
    return column.asc() if asked.is_ascending else column.desc()

"""What did a metric read over time? Points are appended; the newest of each key is kept at hand.

Newest is by (step, time, value), as MLflow has it, not by arrival: batches may come out of order.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, tuple_

from weyr.store.database import Database
from weyr.store.dialects import upsert
from weyr.store.tables.tracking import latest_metrics, logged_model_metrics, logged_models, metrics
from weyr.tracking.entities import Metric, Page
from weyr.tracking.errors import missing
from weyr.tracking.paging import offset_of, page_of
from weyr.tracking.prepared import Prepared

HISTORY_AT_ONCE_MAX = 25_000

_POINT = ("run_id", "key", "at_ms", "step", "value", "is_nan")
_append = Prepared(upsert(metrics).on_conflict_do_nothing(), _POINT)
_newer = upsert(latest_metrics)
_replace_older = Prepared(
    _newer.on_conflict_do_update(
        index_elements=["run_id", "key"],
        set_={name: _newer.excluded[name] for name in ("step", "at_ms", "value", "is_nan")},
        where=tuple_(_newer.excluded.step, _newer.excluded.at_ms, _newer.excluded.value)
        > tuple_(latest_metrics.c.step, latest_metrics.c.at_ms, latest_metrics.c.value),
    ),
    _POINT,
)
_judge = upsert(logged_model_metrics)
_judge_again = _judge.on_conflict_do_update(
    index_elements=["model_id", "key", "at_ms", "step", "run_id"],
    set_={name: _judge.excluded[name] for name in ("value", "is_nan", "dataset_name", "dataset_digest")},
)


def append_metrics(connection: Connection, run_id: str, points: Sequence[Metric]) -> None:
    """Adds points to a run's history. Idempotent: the same point again changes nothing."""
    if not points:
        return
    rows = [_row(run_id, point) for point in points]
    _append.run(connection, rows)
    newest: dict[str, dict[str, Any]] = {}
    for row in rows:
        old = newest.get(row["key"])
        if old is None or (row["step"], row["at_ms"], row["value"]) > (old["step"], old["at_ms"], old["value"]):
            newest[row["key"]] = row
    _replace_older.run(connection, list(newest.values()))
    _append_to_models(connection, run_id, [point for point in points if point.model_id])


def metric_of(row: Row[Any]) -> Metric:
    """A point from a row of either metrics table."""
    return Metric(row.key, math.nan if row.is_nan else row.value, row.at_ms, row.step)


def history(db: Database, run_id: str, key: str, limit: int | None, token: str) -> Page[Metric]:
    """A metric's points by time; all of them when no limit is given.

    Raises TrackingError: RESOURCE_DOES_NOT_EXIST when there is no such run.
    """
    offset = offset_of(token)
    query = select(metrics).where(metrics.c.run_id == run_id, metrics.c.key == key)
    query = query.order_by(metrics.c.at_ms, metrics.c.step, metrics.c.value)
    if limit is not None:
        query = query.limit(limit + 1).offset(offset)
    with db.read() as connection:
        found = [metric_of(row) for row in connection.execute(query)]
    return Page(tuple(found)) if limit is None else page_of(found, offset, limit)


def histories(db: Database, run_ids: Sequence[str], key: str, points_max: int) -> list[tuple[str, Metric]]:
    """A metric of several runs whole: run by run, each by time, `points_max` points in all."""
    here = (metrics.c.run_id.in_(run_ids), metrics.c.key == key)
    order = (metrics.c.run_id, metrics.c.at_ms, metrics.c.step, metrics.c.value)
    query = select(metrics).where(*here).order_by(*order).limit(points_max)
    with db.read() as connection:
        return [(row.run_id, metric_of(row)) for row in connection.execute(query)]


def history_sampled(
    db: Database, run_ids: Sequence[str], key: str, steps: tuple[int, int] | None, points_max: int
) -> list[tuple[str, Metric]]:
    """Points of many runs on steps spread evenly over all of them, for drawing curves side by side.

    Promises: about `points_max` steps, and every run's first and last step in the range.
    """
    here = [metrics.c.run_id.in_(run_ids), metrics.c.key == key]
    if steps is not None:
        here.append(metrics.c.step.between(*steps))
    with db.read() as connection:
        every = list(connection.scalars(select(metrics.c.step).where(*here).distinct().order_by(metrics.c.step)))
        ends = connection.execute(
            select(func.min(metrics.c.step), func.max(metrics.c.step)).where(*here).group_by(metrics.c.run_id)
        )
        wanted = {*_spread(every, points_max), *(step for row in ends for step in row)}
        query = select(metrics).where(*here).order_by(metrics.c.step, metrics.c.at_ms)
        kept = [(row.run_id, metric_of(row)) for row in connection.execute(query) if row.step in wanted]
    order = {run_id: index for index, run_id in enumerate(run_ids)}
    return sorted(kept, key=lambda found: order[found[0]])


def _spread(steps: Sequence[int], count: int) -> list[int]:
    if len(steps) <= count:
        return list(steps)
    return [steps[index * len(steps) // count] for index in range(count)]


def _row(run_id: str, point: Metric) -> dict[str, Any]:
    is_nan = math.isnan(point.value)
    value = 0.0 if is_nan else float(point.value)
    return {
        "run_id": run_id,
        "key": point.key,
        "at_ms": point.at_ms,
        "step": point.step,
        "value": value,
        "is_nan": is_nan,
    }


def _append_to_models(connection: Connection, run_id: str, points: Iterable[Metric]) -> None:
    rows = [
        {
            **_row(run_id, point),
            "model_id": point.model_id,
            "dataset_name": point.dataset_name,
            "dataset_digest": point.dataset_digest,
        }
        for point in points
    ]
    if not rows:
        return
    asked = {row["model_id"] for row in rows}
    known = set(connection.scalars(select(logged_models.c.model_id).where(logged_models.c.model_id.in_(asked))))
    if asked - known:
        raise missing(f"Logged model with ID '{min(asked - known)}' not found.")
    connection.execute(_judge_again, rows)

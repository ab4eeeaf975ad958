"""What do the rest of Weyr and its users ask about runs and models? Summaries, curves, and facts for the loop."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from weyr.core.seen import ModelFacts, VersionFacts
from weyr.store.database import Database
from weyr.store.tables.tracking import (
    ACTIVE,
    experiments,
    latest_metrics,
    metrics,
    model_aliases,
    model_versions,
    params,
    registered_models,
    runs,
)
from weyr.tracking.entities import RunStatus
from weyr.tracking.errors import TrackingError
from weyr.tracking.gathering import grouped
from weyr.tracking.metrics import metric_of
from weyr.tracking.places import place_of_uri

RUNS_SHOWN_MAX = 1000
POINTS_SHOWN_MAX = 100_000


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line. Times are Unix seconds; `metrics` are the last values, by name."""

    run_id: str
    experiment: str
    name: str
    status: RunStatus
    started_at: float
    ended_at: float | None
    metrics: tuple[tuple[str, float], ...] = ()
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One reading of a metric. `at` is Unix time in seconds."""

    step: int
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its curves: (metric, points by time) pairs, by name."""

    summary: RunSummary
    history: tuple[tuple[str, tuple[Point, ...]], ...] = ()


def run_summaries(db: Database, stack: str | None) -> list[RunSummary]:
    """The active runs of one stack, or of all; newest first, at most `RUNS_SHOWN_MAX`."""
    query = select(runs.c.run_id).join(experiments).where(runs.c.lifecycle_stage == ACTIVE)
    if stack is not None:
        query = query.where(experiments.c.owner_stack == stack)
    query = query.order_by(runs.c.started_ms.desc(), runs.c.run_id).limit(RUNS_SHOWN_MAX)
    with db.read() as connection:
        return _summaries(connection, list(connection.scalars(query)))


def run_detail(db: Database, run_id: str) -> RunDetail | None:
    """None when there is no such run."""
    with db.read() as connection:
        found = _summaries(connection, [run_id])
        if not found:
            return None
        query = select(metrics).where(metrics.c.run_id == run_id)
        query = query.order_by(metrics.c.key, metrics.c.at_ms, metrics.c.step).limit(POINTS_SHOWN_MAX)
        curves: dict[str, list[Point]] = {}
        for row in connection.execute(query):
            value = math.nan if row.is_nan else row.value
            curves.setdefault(row.key, []).append(Point(row.step, value, row.at_ms / 1000))
    return RunDetail(found[0], tuple((key, tuple(points)) for key, points in curves.items()))


def model_facts(db: Database, name: str) -> ModelFacts | None:
    """The model as the loop sees it, its files at s3:// places; None when it is proved not to be there."""
    with db.read() as connection:
        if not connection.execute(select(1).where(registered_models.c.name == name)).first():
            return None
        mine = select(model_versions).where(model_versions.c.name == name).order_by(model_versions.c.version)
        rows = connection.execute(mine).all()
        last = grouped(
            connection,
            select(latest_metrics),
            latest_metrics.c.run_id,
            [row.run_id for row in rows if row.run_id],
            lambda row: (row.key, metric_of(row).value),
        )
        aliased = select(model_aliases).where(model_aliases.c.name == name).order_by(model_aliases.c.alias)
        aliases = tuple((row.alias, row.version) for row in connection.execute(aliased))
    versions = tuple(
        VersionFacts(row.version, _files(row.files_uri), row.run_id, last(row.run_id), row.seal) for row in rows
    )
    return ModelFacts(versions, aliases)


def owned_models(db: Database) -> list[tuple[str, str, int]]:
    """Every registered model that has an owner, with it and the generation of its wish, by name."""
    columns = registered_models.c
    query = select(columns.name, columns.owner, columns.generation).where(columns.owner != "").order_by(columns.name)
    with db.read() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _summaries(connection: Connection, run_ids: Sequence[str]) -> list[RunSummary]:
    heads = {
        row.run_id: row
        for start in range(0, len(run_ids), 500)
        for row in connection.execute(
            select(runs, experiments.c.name.label("experiment"))
            .join(experiments)
            .where(runs.c.run_id.in_(run_ids[start : start + 500]))
        )
    }
    known = [run_id for run_id in run_ids if run_id in heads]
    last = grouped(
        connection, select(latest_metrics), latest_metrics.c.run_id, known, lambda row: (row.key, metric_of(row).value)
    )
    given = grouped(connection, select(params), params.c.run_id, known, lambda row: (row.key, row.value))
    return [
        RunSummary(
            run_id,
            heads[run_id].experiment,
            heads[run_id].name,
            RunStatus(heads[run_id].status),
            heads[run_id].started_ms / 1000,
            _seconds(heads[run_id].ended_ms),
            last(run_id),
            given(run_id),
        )
        for run_id in known
    ]


def _seconds(at_ms: int | None) -> float | None:
    return None if at_ms is None else at_ms / 1000


def _files(uri: str) -> str:
    """The bucket's own URI where there is one; else what was registered, which the model's kind will refuse."""
    try:
        place = place_of_uri(uri)
    except TrackingError:
        return uri
    return uri if place is None else place.s3_uri

"""What did a run read and make? Datasets it learned from, logged models it used or produced."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from weyr.store.dialects import upsert
from weyr.store.tables.tracking import logged_models, run_dataset_tags, run_datasets, run_models, runs
from weyr.tracking import names
from weyr.tracking.entities import Dataset, DatasetInput, Direction, ModelUse, Tag
from weyr.tracking.errors import missing
from weyr.tracking.experiments import numbers_of
from weyr.tracking.gathering import grouped

CONTEXT_TAG = "mlflow.data.context"
SUMMARIES_MAX = 1000

_put_model = upsert(run_models)
_put_model_again = _put_model.on_conflict_do_update(
    index_elements=["run_id", "direction", "model_id"], set_={"step": _put_model.excluded.step}
)


def check_inputs(inputs: Sequence[DatasetInput]) -> None:
    for given in inputs:
        names.check_dataset(given.dataset)
        for tag in given.tags:
            names.check_length("key", 255, tag.key)
            names.check_length("value", 500, tag.value)


def add_datasets(connection: Connection, run_id: str, inputs: Sequence[DatasetInput]) -> None:
    """Idempotent: a dataset of the same name and digest is kept once per run."""
    for given in inputs:
        dataset = given.dataset
        row = {
            "run_id": run_id,
            "name": dataset.name,
            "digest": dataset.digest,
            "source_type": dataset.source_type,
            "source": dataset.source,
            "schema": dataset.schema,
            "profile": dataset.profile,
        }
        connection.execute(upsert(run_datasets).values(row).on_conflict_do_nothing())
        tags = [
            {"run_id": run_id, "name": dataset.name, "digest": dataset.digest, "key": t.key, "value": t.value}
            for t in given.tags
        ]
        if tags:
            connection.execute(upsert(run_dataset_tags).on_conflict_do_nothing(), tags)


def add_models(connection: Connection, run_id: str, uses: Sequence[ModelUse]) -> None:
    """Idempotent. Raises TrackingError when a model is not there."""
    if not uses:
        return
    asked = {use.model_id for use in uses}
    known = set(connection.scalars(select(logged_models.c.model_id).where(logged_models.c.model_id.in_(asked))))
    if asked - known:
        raise missing(f"Logged model with ID '{min(asked - known)}' not found.")
    rows = [
        {"run_id": run_id, "direction": use.direction.value, "model_id": use.model_id, "step": use.step} for use in uses
    ]
    connection.execute(_put_model_again, rows)


def datasets_of(connection: Connection, run_ids: Sequence[str]) -> Callable[[object], tuple[DatasetInput, ...]]:
    tags: dict[tuple[str, str, str], list[Tag]] = {}

    def collect(row: Row[Any]) -> None:
        tags.setdefault((row.run_id, row.name, row.digest), []).append(Tag(row.key, row.value))

    def make(row: Row[Any]) -> DatasetInput:
        dataset = Dataset(row.name, row.digest, row.source_type, row.source, row.schema, row.profile)
        return DatasetInput(dataset, tuple(tags.get((row.run_id, row.name, row.digest), ())))

    grouped(connection, select(run_dataset_tags), run_dataset_tags.c.run_id, run_ids, collect)
    return grouped(connection, select(run_datasets), run_datasets.c.run_id, run_ids, make)


def models_of(connection: Connection, run_ids: Sequence[str]) -> Callable[[object], tuple[ModelUse, ...]]:
    def make(row: Row[Any]) -> ModelUse:
        return ModelUse(Direction(row.direction), row.model_id, row.step)

    return grouped(connection, select(run_models), run_models.c.run_id, run_ids, make)


def dataset_summaries(connection: Connection, experiment_ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """(experiment, name, digest, context) of each dataset that runs of these experiments read."""
    context = run_dataset_tags.alias()
    same = (
        (context.c.run_id == run_datasets.c.run_id)
        & (context.c.name == run_datasets.c.name)
        & (context.c.digest == run_datasets.c.digest)
        & (context.c.key == CONTEXT_TAG)
    )
    query = (
        select(runs.c.experiment_id, run_datasets.c.name, run_datasets.c.digest, context.c.value)
        .join(run_datasets, run_datasets.c.run_id == runs.c.run_id)
        .join(context, same, isouter=True)
        .where(runs.c.experiment_id.in_(numbers_of(experiment_ids)))
        .distinct()
        .limit(SUMMARIES_MAX)
    )
    return [(str(row[0]), row[1], row[2], row[3] or "") for row in connection.execute(query)]

"""How does an entity look on the wire? MLflow's JSON; what is empty is left out, as protobuf does."""

from collections.abc import Iterable

from weyr.server.mlflow.calls import Json
from weyr.server.mlflow.fields import shown_number
from weyr.tracking.entities import (
    DatasetInput,
    Direction,
    Experiment,
    LoggedModel,
    Metric,
    ModelVersion,
    RegisteredModel,
    Run,
    RunHead,
    Tag,
)


def given(**fields: object) -> Json:
    """The fields that hold something."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], ())}


def pairs(tags: Iterable[Tag]) -> list[Json]:
    return [{"key": tag.key, "value": tag.value} for tag in tags]


def experiment(found: Experiment) -> Json:
    return given(
        experiment_id=found.experiment_id,
        name=found.name,
        artifact_location=found.artifact_location,
        lifecycle_stage=found.lifecycle.value,
        last_update_time=found.updated_ms,
        creation_time=found.created_ms,
        tags=pairs(found.tags),
    )


def run_info(head: RunHead) -> Json:
    return given(
        run_id=head.run_id,
        run_uuid=head.run_id,
        run_name=head.name,
        experiment_id=head.experiment_id,
        user_id=head.user_id,
        status=head.status.value,
        start_time=head.started_ms,
        end_time=head.ended_ms,
        artifact_uri=head.artifact_uri,
        lifecycle_stage=head.lifecycle.value,
    )


def run(found: Run) -> Json:
    outputs = [each for each in found.models if each.direction is Direction.OUTPUT]
    inputs = [each for each in found.models if each.direction is Direction.INPUT]
    return {
        "info": run_info(found.head),
        "data": given(
            metrics=[metric(point) for point in found.metrics],
            params=pairs(found.params),
            tags=pairs(found.tags),
        ),
        "inputs": given(
            dataset_inputs=[dataset_input(each) for each in found.datasets],
            model_inputs=[{"model_id": each.model_id} for each in inputs],
        ),
        "outputs": given(model_outputs=[{"model_id": each.model_id, "step": each.step} for each in outputs]),
    }


def metric(point: Metric) -> Json:
    shown: Json = {"key": point.key, "value": shown_number(point.value), "timestamp": point.at_ms, "step": point.step}
    if point.model_id or point.dataset_name or point.run_id:
        shown |= given(
            model_id=point.model_id,
            dataset_name=point.dataset_name,
            dataset_digest=point.dataset_digest,
            run_id=point.run_id,
        )
    return shown


def dataset_input(found: DatasetInput) -> Json:
    dataset = found.dataset
    shown = given(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema,
        profile=dataset.profile,
    )
    return given(tags=pairs(found.tags), dataset=shown)


def logged_model(found: LoggedModel) -> Json:
    info = given(
        model_id=found.model_id,
        experiment_id=found.experiment_id,
        name=found.name,
        creation_timestamp_ms=found.created_ms,
        last_updated_timestamp_ms=found.updated_ms,
        artifact_uri=found.artifact_uri,
        status=found.status.value,
        model_type=found.model_type,
        source_run_id=found.source_run_id,
        tags=pairs(found.tags),
        registrations=[{"name": name, "version": str(version)} for name, version in found.registrations],
    )
    data = given(params=pairs(found.params), metrics=[metric(point) for point in found.metrics])
    return {"info": info, "data": data}


def model_version(found: ModelVersion) -> Json:
    return given(
        name=found.name,
        version=str(found.version),
        creation_timestamp=found.created_ms,
        last_updated_timestamp=found.updated_ms,
        user_id=found.user_id,
        current_stage=found.stage.value,
        description=found.description,
        source=found.source,
        run_id=found.run_id,
        status="READY",
        tags=pairs(found.tags),
        run_link=found.run_link,
        aliases=list(found.aliases),
        model_id=found.model_id,
    )


def registered_model(found: RegisteredModel) -> Json:
    return given(
        name=found.name,
        creation_timestamp=found.created_ms,
        last_updated_timestamp=found.updated_ms,
        description=found.description,
        latest_versions=[model_version(version) for version in found.latest],
        tags=pairs(found.tags),
        aliases=[{"alias": alias, "version": str(version)} for alias, version in found.aliases],
    )


def page(name: str, items: list[Json], token: str) -> Json:
    return given(next_page_token=token) | {name: items}

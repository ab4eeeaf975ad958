"""Registered models, versions and aliases, and a real scikit-learn model from training to loading by alias."""

from collections.abc import Iterator
from typing import Any

import pytest
from stores import SORTS, fresh_place
from tracking_server import TASK, TrackingServer, running_tracking

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=SORTS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    folder = tmp_path_factory.mktemp("tracking")
    with running_tracking(folder, fresh_place(request, folder)) as running:
        yield running


@pytest.fixture
def mlflow(server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server.set_environment(monkeypatch)
    import mlflow as client

    client.set_tracking_uri(server.url)
    yield client
    while client.active_run():
        client.end_run()


@pytest.fixture
def client(mlflow: Any) -> Any:
    return mlflow.MlflowClient()


def source_of(client: Any) -> tuple[str, str]:
    """A run, and a place below it."""
    run = client.create_run("0")
    return run.info.run_id, f"{run.info.artifact_uri}/model"


def test_a_trained_model_is_loaded_by_its_alias(mlflow: Any, client: Any, server: TrackingServer) -> None:
    """The demo's path: log_model registers a version, an alias names it, and anybody loads it by that name."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    images, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(images, labels)
    server.tracking().ensure_model("digits", "digits:model/digits")
    server.tracking().ensure_experiments({"train": ("mlflow-artifacts:/digits-lake/artifacts/digits", "digits")})
    mlflow.set_experiment("train")
    with mlflow.start_run() as run:
        mlflow.log_metric("accuracy", model.score(images, labels))
        logged = mlflow.sklearn.log_model(
            model, name="model", registered_model_name="digits", pip_requirements=["scikit-learn"]
        )
    server.tracking().registry.set_alias("digits", "production", int(logged.registered_model_version))

    version = client.get_model_version_by_alias("digits", "production")
    assert (version.version, version.run_id, version.user_id) == ("1", run.info.run_id, TASK)
    loaded = mlflow.sklearn.load_model("models:/digits@production")
    assert (loaded.predict(images) == model.predict(images)).all()
    assert client.get_logged_model(logged.model_id).status.value == "READY"
    facts = server.tracking().model("digits")
    assert facts is not None
    [seen] = facts.versions
    assert facts.aliases == (("production", 1),)
    assert (seen.run_id, dict(seen.metrics)) == (run.info.run_id, {"accuracy": model.score(images, labels)})
    assert seen.source == f"s3://digits-lake/artifacts/digits/models/{logged.model_id}/artifacts"
    bucket, _, prefix = seen.source.removeprefix("s3://").partition("/")
    listed = server.s3.client().list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert f"{prefix}/MLmodel" in {each["Key"] for each in listed}


def test_versions_count_up_and_are_never_given_again(client: Any) -> None:
    """`name/3` means one model for ever, also after it was deleted."""
    run_id, source = source_of(client)
    client.create_registered_model("counting", tags={"team": "vision"}, description="d")
    for expected in ("1", "2", "3"):
        assert client.create_model_version("counting", source, run_id).version == expected
    client.delete_model_version("counting", "3")
    assert client.create_model_version("counting", source, run_id).version == "4"
    found = client.search_model_versions("name = 'counting'")
    assert [version.version for version in found] == ["4", "2", "1"]
    assert [v.version for v in client.search_model_versions("name = 'counting' and version_number < 3")] == ["2", "1"]
    assert len(client.search_model_versions(f"run_id = '{run_id}'")) == 3


def test_aliases_move_and_are_forgotten_with_their_version(mlflow: Any, client: Any) -> None:
    """An alias is the name that endpoints follow; it must never mean something that is gone."""
    run_id, source = source_of(client)
    client.create_registered_model("aliased")
    for _ in range(2):
        client.create_model_version("aliased", source, run_id)
    client.set_registered_model_alias("aliased", "best", "1")
    client.set_registered_model_alias("aliased", "best", "2")
    assert client.get_model_version_by_alias("aliased", "best").version == "2"
    assert client.get_registered_model("aliased").aliases == {"best": "2"}
    client.delete_model_version("aliased", "2")
    with pytest.raises(mlflow.exceptions.MlflowException, match="alias best not found"):
        client.get_model_version_by_alias("aliased", "best")
    client.set_registered_model_alias("aliased", "best", "1")
    client.delete_registered_model_alias("aliased", "best")
    client.delete_registered_model_alias("aliased", "best")
    assert client.get_registered_model("aliased").aliases == {}
    for bad in ("latest", "v3", "a b"):
        with pytest.raises(mlflow.exceptions.MlflowException):
            client.set_registered_model_alias("aliased", bad, "1")
    with pytest.raises(mlflow.exceptions.MlflowException, match="not found"):
        client.set_registered_model_alias("aliased", "best", "9")


def test_models_are_tagged_searched_renamed_and_deleted(mlflow: Any, client: Any) -> None:
    """The life of a registered model as the client drives it."""
    run_id, source = source_of(client)
    for name in ("cat-small", "cat-large", "dog"):
        client.create_registered_model(name)
    client.set_registered_model_tag("dog", "kind", "animal")
    client.create_model_version("dog", source, run_id, tags={"from": "test"}, description="first")
    client.set_model_version_tag("dog", "1", "checked", "yes")
    client.delete_model_version_tag("dog", "1", "from")
    client.update_model_version("dog", "1", description="second")
    client.update_registered_model("dog", description="barks")

    assert [m.name for m in client.search_registered_models("name LIKE 'cat-%'")] == ["cat-large", "cat-small"]
    assert [m.name for m in client.search_registered_models("tags.kind = 'animal'")] == ["dog"]
    page = client.search_registered_models("name LIKE 'cat-%'", max_results=1, order_by=["name DESC"])
    assert [m.name for m in page] == ["cat-small"]
    following = client.search_registered_models(
        "name LIKE 'cat-%'", max_results=1, order_by=["name DESC"], page_token=page.token
    )
    assert [m.name for m in following] == ["cat-large"]
    client.rename_registered_model("dog", "wolf")
    found = client.get_model_version("wolf", "1")
    assert (found.description, found.tags) == ("second", {"checked": "yes"})
    assert client.get_registered_model("wolf").description == "barks"
    with pytest.raises(mlflow.exceptions.MlflowException, match="Registered Model with name=dog not found"):
        client.get_registered_model("dog")
    with pytest.raises(mlflow.exceptions.MlflowException, match="already exists"):
        client.create_registered_model("wolf")
    client.delete_registered_model("wolf")
    assert client.search_model_versions("name = 'wolf'") == []


def test_stages_still_work_for_those_who_use_them(client: Any) -> None:
    """MLflow's older scripts promote by stage; Weyr itself goes by alias."""
    run_id, source = source_of(client)
    client.create_registered_model("staged")
    for _ in range(2):
        client.create_model_version("staged", source, run_id)
    client.transition_model_version_stage("staged", "1", "Production")
    client.transition_model_version_stage("staged", "2", "production", archive_existing_versions=True)
    assert client.get_model_version("staged", "1").current_stage == "Archived"
    assert [v.version for v in client.get_latest_versions("staged", ["Production"])] == ["2"]


SOURCES = {
    "a path on this machine": "/etc/passwd",
    "the same as a file URI": "file:///etc/passwd",
    "a relative path": "some/where",
    "climbing out": "mlflow-artifacts:/weyr-tracking/0/../../digits-lake",
    "climbing out, encoded": "mlflow-artifacts:/weyr-tracking/..%2f..%2fdigits-lake",
    "a logged model that is not there": "models:/m-nope",
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_version_has_files_somewhere_real(mlflow: Any, client: Any, name: str) -> None:
    """An endpoint will load what is registered: it is refused now, not in the middle of a rollout."""
    model = f"sources {name}"
    client.create_registered_model(model)
    with pytest.raises(mlflow.exceptions.MlflowException):
        client.create_model_version(model, SOURCES[name])
    assert client.search_model_versions(f"name = '{model}'") == []


def test_a_model_of_a_run_is_registered_by_its_path(mlflow: Any, client: Any, server: TrackingServer) -> None:
    """`runs:/<id>/<path>`, the way of MLflow's own tutorials."""
    run = client.create_run("0")
    client.log_text(run.info.run_id, "flavors: {}", "model/MLmodel")
    made = mlflow.register_model(f"runs:/{run.info.run_id}/model", "by path")
    facts = server.tracking().model("by path")
    assert facts is not None
    assert facts.versions[0].source == str(run.info.artifact_uri).replace("mlflow-artifacts:/", "s3://") + "/model"
    copied = client.copy_model_version(f"models:/by path/{made.version}", "copied")
    assert copied.version == "1"
    other = server.tracking().model("copied")
    assert other is not None
    assert other.versions[0].source == facts.versions[0].source


def test_a_stack_owns_its_model(server: TrackingServer) -> None:
    """Two stacks cannot promote each other's versions; what a script made is adopted, and outlives the stack."""
    tracking = server.tracking()
    tracking.ensure_model("owned", "a:model/m")
    tracking.ensure_model("owned", "a:model/m")
    with pytest.raises(ValueError, match="belongs to a:model/m"):
        tracking.ensure_model("owned", "b:model/m")
    tracking.registry.create("made by a script", "", ())
    tracking.ensure_model("made by a script", "b:model/m")
    assert {("owned", "a:model/m", 0), ("made by a script", "b:model/m", 0)} <= set(tracking.owned_models())
    for owner in ("a:model/m", "a:model/m", "b:model/m"):
        tracking.let_go_of_model(owner)
    assert tracking.model("owned") is None
    assert tracking.model("made by a script") is not None, "only its owner went"


def test_logged_models_can_be_searched(mlflow: Any, client: Any) -> None:
    """What MLflow 3 shows as the experiment's models: by name, param and score."""
    experiment = client.create_experiment("logged")
    for index in range(3):
        run_id = client.create_run(experiment).info.run_id
        model = client.create_logged_model(
            experiment, name=f"net{index}", source_run_id=run_id, params={"n": str(index)}
        )
        client.log_metric(run_id, "accuracy", index / 10, model_id=model.model_id)
        client.finalize_logged_model(model.model_id, "READY")
        client.set_logged_model_tags(model.model_id, {"even": str(index % 2 == 0)})

    def names(text: str, order: list[dict[str, Any]] | None = None) -> list[str]:
        return [each.name for each in client.search_logged_models([experiment], text, order_by=order)]

    assert names("params.n = '1'") == ["net1"]
    assert names("metrics.accuracy > 0.05", [{"field_name": "metrics.accuracy", "ascending": False}]) == [
        "net2",
        "net1",
    ]
    assert sorted(names("tags.even = 'True'")) == ["net0", "net2"]
    found = client.search_logged_models([experiment], "name = 'net2'")[0]
    assert [metric.value for metric in found.metrics] == [0.2]
    client.delete_logged_model_tag(found.model_id, "even")
    client.delete_logged_model(found.model_id)
    assert sorted(names("")) == ["net0", "net1"]

"""Experiments and runs, through the unmodified MLflow client with nothing but an address and a token."""

import base64
import math
import time
from collections.abc import Iterator
from typing import Any

import pytest
from stores import SORTS, fresh_place
from tracking_server import ADMIN_TOKEN, TASK, TrackingServer, running_tracking

from weyr.tracking.entities import RunStatus

# The client's own dependencies warn of their deprecations; they are not ours to mend.
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


def test_a_run_keeps_what_a_training_script_logs(mlflow: Any) -> None:
    """The script of every tutorial: params, a metric with steps, tags, texts; read back as it was written."""
    mlflow.set_experiment("tutorial")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "name": "a b/c"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": 0.9, "worst": math.nan, "best": math.inf}, step=4)
        mlflow.log_metric("later", 7.0, synchronous=False).wait()
        mlflow.set_tags({"team": "vision", "stage": "try"})
        mlflow.set_tag("stage", "done")
        mlflow.delete_tag("team")

    found = mlflow.MlflowClient().get_run(run.info.run_id)

    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert found.info.end_time >= found.info.start_time
    assert found.data.params == {"depth": "3", "rate": "0.1", "name": "a b/c"}
    assert found.data.metrics["loss"] == 0.2
    assert found.data.metrics["later"] == 7.0
    assert math.isnan(found.data.metrics["worst"])
    assert found.data.metrics["best"] == math.inf
    assert found.data.tags["stage"] == "done"
    assert "team" not in found.data.tags
    assert found.data.tags["weyr.task"] == TASK


def test_every_point_of_a_metric_is_kept(mlflow: Any, server: TrackingServer) -> None:
    """The curve is the point of tracking; a batch sent again after a lost reply does not bend it."""
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    points = [{"key": "loss", "value": 1.0 / n, "timestamp": 1000 + n, "step": n} for n in range(1, 601)]

    for _ in range(2):
        for start in (0, 300):
            body = {"run_id": run_id, "metrics": points[start : start + 300]}
            assert server.ask("POST", "/api/2.0/mlflow/runs/log-batch", body)[0] == 200

    history = client.get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(n, 1.0 / n) for n in range(1, 601)]
    query = f"?run_ids={run_id}&metric_key=loss&max_results=50"
    status, sampled = server.ask("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval" + query)
    steps = [point["step"] for point in sampled["metrics"]]
    assert status == 200
    assert steps[0] == 1
    assert steps[-1] == 600
    assert len(steps) <= 52


def test_the_last_value_is_by_step_not_by_arrival(mlflow: Any) -> None:
    """Two workers may send their batches in either order; the run's summary must not depend on it."""
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "loss", 0.1, timestamp=5, step=10)
    client.log_metric(run_id, "loss", 0.9, timestamp=9, step=3)
    assert client.get_run(run_id).data.metrics["loss"] == 0.1


def test_a_param_never_changes(mlflow: Any) -> None:
    """What was reported once as the run's setting stays true; the same value again is no change."""
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_param(run_id, "depth", 3)
    client.log_param(run_id, "depth", 3)
    with pytest.raises(mlflow.exceptions.MlflowException, match="Changing param values is not allowed"):
        client.log_param(run_id, "depth", 5)
    assert client.get_run(run_id).data.params == {"depth": "3"}


def test_a_refused_batch_leaves_nothing(mlflow: Any) -> None:
    """Half a batch would be a state that nobody asked for."""
    client, entities = mlflow.MlflowClient(), mlflow.entities
    run_id = client.create_run("0").info.run_id
    client.log_param(run_id, "depth", 3)
    with pytest.raises(mlflow.exceptions.MlflowException):
        client.log_batch(
            run_id, [entities.Metric("loss", 1.0, 1, 0)], [entities.Param("depth", "4")], [entities.RunTag("a", "b")]
        )
    found = client.get_run(run_id)
    assert found.data.metrics == {}
    assert "a" not in found.data.tags


SEARCHES = {
    "a metric": ("metrics.loss < 0.35", [0, 1, 2, 3]),
    "a metric and a param": ("metrics.loss >= 0.2 AND params.kind = 'odd'", [3, 5, 7, 9]),
    "a param that is not": ("params.kind != 'odd'", [0, 2, 4, 6, 8]),
    "like, telling case apart": ("tags.name LIKE 'Run-%'", []),
    "like": ("tags.name LIKE 'run-_'", list(range(10))),
    "ilike": ("tags.name ILIKE 'RUN-5'", [5]),
    "a key in backticks": ("metrics.`val loss` = 4", [4]),
    "a key with dots": ("tags.`git.branch` = 'main'", [0, 1, 2]),
    "an attribute": ("attributes.run_name = 'n7'", [7]),
    "the status": ("attributes.status = 'FINISHED'", []),
    "a number attribute": ("attributes.start_time > 1007", [8, 9]),
    "not given": ("tags.`git.branch` IS NULL", [3, 4, 5, 6, 7, 8, 9]),
    "given": ("tags.`git.branch` IS NOT NULL", [0, 1, 2]),
    "a quote in the text": ("tags.name = 'it''s'", []),
}


@pytest.fixture(scope="module")
def searched(server: TrackingServer) -> str:
    """Ten runs that differ in everything a search can ask for."""
    tracking = server.tracking()
    status, made = server.ask("POST", "/api/2.0/mlflow/experiments/create", {"name": "searched"})
    assert status == 200
    for n in range(10):
        tags = [{"key": "name", "value": f"run-{n}"}] + [{"key": "git.branch", "value": "main"}] * (n < 3)
        body = {"experiment_id": made["experiment_id"], "run_name": f"n{n}", "start_time": 1000 + n, "tags": tags}
        run_id = server.ask("POST", "/api/2.0/mlflow/runs/create", body)[1]["run"]["info"]["run_id"]
        metrics = [{"key": "loss", "value": n / 10, "timestamp": 1}, {"key": "val loss", "value": n, "timestamp": 1}]
        params = [{"key": "kind", "value": "odd" if n % 2 else "even"}]
        body = {"run_id": run_id, "metrics": metrics, "params": params}
        assert server.ask("POST", "/api/2.0/mlflow/runs/log-batch", body)[0] == 200
    assert tracking.experiments.get(made["experiment_id"]).name == "searched"
    return str(made["experiment_id"])


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_finds_what_was_asked_for(mlflow: Any, searched: str, name: str) -> None:
    """MLflow's filter language means here what it means there."""
    text, expected = SEARCHES[name]
    found = mlflow.MlflowClient().search_runs([searched], text, order_by=["attributes.start_time ASC"])
    assert [run.info.start_time - 1000 for run in found] == expected


def test_pages_never_overlap_and_never_skip(mlflow: Any, searched: str) -> None:
    """Ten runs in pages of three, by a metric downwards."""
    client, token, seen = mlflow.MlflowClient(), None, []
    while True:
        page = client.search_runs([searched], "", order_by=["metrics.loss DESC"], max_results=3, page_token=token)
        seen += [run.info.run_name for run in page]
        token = page.token
        if not token:
            break
    assert seen == [f"n{n}" for n in range(9, -1, -1)]


def test_a_deleted_run_can_come_back(mlflow: Any) -> None:
    """Deleting hides; a slip of the hand loses nothing."""
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("deletions")
    run_id = client.create_run(experiment).info.run_id
    client.delete_run(run_id)
    assert client.search_runs([experiment]) == []
    with pytest.raises(mlflow.exceptions.MlflowException, match="must be in the 'active' state"):
        client.log_metric(run_id, "loss", 1.0)
    client.restore_run(run_id)
    assert [run.info.run_id for run in client.search_runs([experiment])] == [run_id]


def test_experiments_are_made_found_renamed_and_deleted(mlflow: Any) -> None:
    """The life of an experiment as the client drives it."""
    client = mlflow.MlflowClient()
    made = client.create_experiment("life", tags={"team": "vision"})
    client.rename_experiment(made, "life two")
    client.set_experiment_tag(made, "note", "x" * 10_000)
    found = client.get_experiment_by_name("life two")
    assert found.experiment_id == made
    assert found.artifact_location.startswith("mlflow-artifacts:/weyr-tracking/")
    assert found.tags == {"team": "vision", "note": "x" * 10_000}
    assert [e.name for e in client.search_experiments(filter_string="name LIKE 'life%'")] == ["life two"]
    assert [e.name for e in client.search_experiments(filter_string="tags.team = 'vision'")] == ["life two"]
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    with pytest.raises(mlflow.exceptions.MlflowException, match="must be in the 'active' state"):
        client.create_run(made)
    client.restore_experiment(made)
    assert client.create_run(made).info.experiment_id == made
    assert client.get_experiment_by_name("never made") is None


def test_datasets_that_a_run_read_are_kept(mlflow: Any, server: TrackingServer) -> None:
    """What a model learned from is part of its story."""
    import numpy

    with mlflow.start_run() as run:
        data = mlflow.data.from_numpy(numpy.arange(12.0).reshape(3, 4), name="tiny")
        mlflow.log_input(data, context="training")
    found = mlflow.MlflowClient().get_run(run.info.run_id)
    [given] = found.inputs.dataset_inputs
    assert given.dataset.name == "tiny"
    assert [tag.value for tag in given.tags] == ["training"]
    asked = "dataset.name = 'tiny' AND dataset.context = 'training'"
    hits = mlflow.MlflowClient().search_runs([run.info.experiment_id], asked)
    assert [hit.info.run_id for hit in hits] == [run.info.run_id]


REFUSALS: dict[str, tuple[str, Any, int, str]] = {
    "no such run": ("runs/update", {"run_id": "nope", "status": "FINISHED"}, 404, "RESOURCE_DOES_NOT_EXIST"),
    "no run named": ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1}, 400, "INVALID_PARAMETER_VALUE"),
    "a list for a name": ("experiments/create", {"name": ["a"]}, 400, "INVALID_PARAMETER_VALUE"),
    "a name in use": ("experiments/create", {"name": "Default"}, 400, "RESOURCE_ALREADY_EXISTS"),
    "an unreadable filter": (
        "runs/search",
        {"experiment_ids": ["0"], "filter": "metrics.a < 'x'"},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "or": (
        "runs/search",
        {"experiment_ids": ["0"], "filter": "params.a = '1' OR params.b = '2'"},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "too many results": (
        "runs/search",
        {"experiment_ids": ["0"], "max_results": 60_000},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "a broken token": ("runs/search", {"experiment_ids": ["0"], "page_token": "x"}, 400, "INVALID_PARAMETER_VALUE"),
    "a token far beyond": (
        "runs/search",
        {"experiment_ids": ["0"], "page_token": base64.b64encode(b'{"offset": 1e99}').decode()},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "a time past 64 bits": ("runs/create", {"experiment_id": "0", "start_time": 2**70}, 400, "INVALID_PARAMETER_VALUE"),
    "an experiment past 64 bits": ("runs/create", {"experiment_id": "9" * 40}, 404, "RESOURCE_DOES_NOT_EXIST"),
    "an experiment of no number": ("runs/create", {"experiment_id": "²"}, 400, "INVALID_PARAMETER_VALUE"),
    "half a character": ("experiments/create", b'{"name": "\\ud800"}', 400, "BAD_REQUEST"),
    "json without end": ("runs/search", b"[" * 100_000, 400, "BAD_REQUEST"),
    "a filter without end": (
        "runs/search",
        {"experiment_ids": ["0"], "filter": " AND ".join(["params.a = 'b'"] * 3000)},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "orders without end": (
        "runs/search",
        {"experiment_ids": ["0"], "order_by": [f"metrics.m{n}" for n in range(70)]},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "not json": ("runs/search", b"{", 400, "BAD_REQUEST"),
    "no object": ("runs/search", b"[1]", 400, "BAD_REQUEST"),
    "no such call": ("runs/fly", {}, 404, "ENDPOINT_NOT_FOUND"),
    "a stranger's tag": ("experiments/set-experiment-tag", {"experiment_id": "0"}, 400, "INVALID_PARAMETER_VALUE"),
    "a location on this machine": (
        "experiments/create",
        {"name": "n", "artifact_location": "file:///etc"},
        400,
        "INVALID_PARAMETER_VALUE",
    ),
    "somebody else's bucket": (
        "experiments/create",
        {"name": "n", "artifact_location": "mlflow-artifacts:/other/x"},
        403,
        "PERMISSION_DENIED",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_says_what_mlflow_would_say(server: TrackingServer, name: str) -> None:
    """Clients tell errors apart by their code; a 500 here would be our bug shown to the user."""
    path, body, status, code = REFUSALS[name]
    answer = server.ask("POST", f"/api/2.0/mlflow/{path}", body)
    assert (answer[0], answer[1]["error_code"]) == (status, code)


METRICS: dict[str, tuple[dict[str, Any], int]] = {
    "as it should be": ({}, 200),
    "numbers as text": ({"value": "1.5", "timestamp": "12", "step": "3"}, 200),
    "nan by name": ({"value": "NaN"}, 200),
    "minus infinity by name": ({"value": "-Infinity"}, 200),
    "a negative step": ({"step": -5}, 200),
    "a word for a number": ({"value": "much"}, 400),
    "a truth for a number": ({"value": True}, 400),
    "no time": ({"timestamp": None}, 400),
    "a negative time": ({"timestamp": -1}, 400),
    "a step past 64 bits": ({"step": 2**63}, 400),
    "a fraction of a step": ({"step": 1.5}, 400),
    "an empty key": ({"key": ""}, 400),
    "a key that climbs": ({"key": "../up"}, 400),
    "a key with a strange character": ({"key": "a?b"}, 400),
    "a key as long as may be": ({"key": "k" * 250}, 200),
    "a key too long": ({"key": "k" * 251}, 400),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_checked_before_it_is_kept(server: TrackingServer, name: str) -> None:
    """What cannot be shown or sorted later is refused now, with the field's name."""
    changes, status = METRICS[name]
    made = server.ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})[1]
    body = {"run_id": made["run"]["info"]["run_id"], "key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
    assert server.ask("POST", "/api/2.0/mlflow/runs/log-metric", body | changes)[0] == status


def test_odd_searches_find_nothing_and_break_nothing(server: TrackingServer) -> None:
    """A number that no database could hold is still only a number."""
    for text in ("attributes.start_time > 99999999999999999999999", "metrics.a < 1e400", "params.`a'b` = 'c'"):
        body = {"experiment_ids": ["0", "x", "²", "9" * 40], "filter": text, "order_by": ["metrics.`a` desc"] * 30}
        assert server.ask("POST", "/api/2.0/mlflow/runs/search", body) == (200, {"runs": []})


def test_strangers_and_readers_are_refused_and_written_down(server: TrackingServer) -> None:
    """Least privilege: a token that may read cannot write, and no token can do nothing."""
    body = {"experiment_id": "0"}
    assert server.ask("POST", "/api/2.0/mlflow/runs/create", body, token="")[0] == 401
    assert server.ask("POST", "/api/2.0/mlflow/runs/create", body, token="guess")[0] == 401
    status, answer = server.ask("POST", "/api/2.0/mlflow/runs/create", body, token="token-reader")
    assert (status, answer["error_code"]) == (403, "PERMISSION_DENIED")
    assert server.ask("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"]}, token="token-reader")[0] == 200
    assert ["task:digits:job/report", "tracking:write", "*", "no grant covers it"] in server.refusals()
    assert any(refusal[0] == "anonymous" for refusal in server.refusals())


def test_a_task_that_died_leaves_no_run_running(mlflow: Any, server: TrackingServer) -> None:
    """The loop ends what the task could not; the attempt that resumes the run owns it from then on."""
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("orphans")
    run_id = client.create_run(experiment).info.run_id
    tracking = server.tracking()
    assert tracking.end_running({"task:digits:job/train#1": ("orphans", RunStatus.KILLED)}) == 0
    assert tracking.end_running({TASK: ("orphans", RunStatus.KILLED)}) == 1
    assert tracking.end_running({TASK: ("orphans", RunStatus.KILLED)}) == 0
    assert client.get_run(run_id).info.status == "KILLED"
    status, _ = server.ask(
        "POST", "/api/2.0/mlflow/runs/update", {"run_id": run_id, "status": "RUNNING"}, token=ADMIN_TOKEN
    )
    assert status == 200
    assert client.get_run(run_id).info.end_time is None


def test_the_rest_of_weyr_sees_runs_with_their_curves(mlflow: Any, server: TrackingServer) -> None:
    """`weyr runs` draws from the same store, with no client in between."""
    tracking = server.tracking()
    tracking.ensure_experiments({"digits": ("mlflow-artifacts:/digits-lake/artifacts", "digits")})
    mlflow.set_experiment("digits")
    started = time.time()
    with mlflow.start_run() as run:
        mlflow.log_param("rate", 0.1)
        for step in range(3):
            mlflow.log_metric("loss", 3.0 - step, step=step)
    [summary] = tracking.runs("digits")
    assert summary.run_id == run.info.run_id
    assert summary.metrics == (("loss", 1.0),)
    assert summary.params == (("rate", "0.1"),)
    assert abs(summary.started_at - started) < 30
    detail = tracking.run(run.info.run_id)
    assert detail is not None
    [(name, points)] = detail.history
    assert (name, [(point.step, point.value) for point in points]) == ("loss", [(0, 3.0), (1, 2.0), (2, 1.0)])
    assert tracking.runs("nobody") == []
    assert tracking.run("nope") is None

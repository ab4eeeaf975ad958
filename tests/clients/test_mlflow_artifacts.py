"""Runs' files, through the unmodified MLflow client and the server into a real object store."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from tracking_server import ADMIN_TOKEN, READER_TOKEN, TASK_TOKEN, TrackingServer, running_tracking

pytestmark = pytest.mark.filterwarnings("ignore")

FILES = "/api/2.0/mlflow-artifacts/artifacts"
LARGE_BYTES = 150 << 20
MEMORY_GROWTH_MAX_BYTES = 100 << 20
"""Parts of 8 MiB, three at a time each way, and what allocators keep; far less than the file."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    with running_tracking(tmp_path_factory.mktemp("tracking")) as running:
        yield running


@pytest.fixture
def mlflow(server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server.set_environment(monkeypatch)
    import mlflow as client

    client.set_tracking_uri(server.url)
    client.set_experiment("files")
    yield client
    while client.active_run():
        client.end_run()


def root_of(run: Any) -> str:
    """The path below the proxy of a run's files."""
    return str(run.info.artifact_uri).removeprefix("mlflow-artifacts:/")


def test_files_and_folders_come_back_as_they_went(mlflow: Any, tmp_path: Path) -> None:
    """Names with spaces and accents, an empty file, folders in folders."""
    (tmp_path / "in" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "er" / "weights.bin").write_bytes(os.urandom(100_000))
    (tmp_path / "in" / "empty").write_bytes(b"")
    (tmp_path / "in" / "été d'un 100 chat.txt").write_text("miaou")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "in"), "kept")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": [1, 2]}, "settings.json")

    client, run_id = mlflow.MlflowClient(), run.info.run_id
    listed = {each.path: (each.is_dir, each.file_size) for each in client.list_artifacts(run_id)}
    assert listed.keys() == {"kept", "notes", "settings.json"}
    assert listed["kept"] == (True, None)
    assert [each.path for each in client.list_artifacts(run_id, "notes")] == ["notes/hello.txt"]
    assert client.list_artifacts(run_id, "notes/hello.txt") == []
    back = Path(client.download_artifacts(run_id, "kept", str(tmp_path)))
    for file in ("deep/er/weights.bin", "empty", "été d'un 100 chat.txt"):
        assert (back / file).read_bytes() == (tmp_path / "in" / file).read_bytes()
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/settings.json") == {"a": [1, 2]}


def test_the_files_lie_in_the_bucket(mlflow: Any, server: TrackingServer) -> None:
    """No second copy in a place of MLflow's own: boto3 sees what the client logged."""
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "notes/hello.txt")
    bucket, _, key = root_of(run).partition("/")
    got = server.s3.client().get_object(Bucket=bucket, Key=f"{key}/notes/hello.txt")
    assert got["Body"].read() == b"hello"


def test_files_can_be_deleted(mlflow: Any, server: TrackingServer) -> None:
    """One file, then a whole folder; asking twice is harmless."""
    with mlflow.start_run() as run:
        for name in ("a/1", "a/2", "b/1"):
            mlflow.log_text(name, f"{name}.txt")
    client, run_id = mlflow.MlflowClient(), run.info.run_id
    for _ in range(2):
        assert server.ask("DELETE", f"{FILES}/{root_of(run)}/a/1.txt")[0] == 200
    assert [each.path for each in client.list_artifacts(run_id, "a")] == ["a/2.txt"]
    assert server.ask("DELETE", f"{FILES}/{root_of(run)}/a")[0] == 200
    assert [each.path for each in client.list_artifacts(run_id)] == ["b"]


def test_a_large_file_passes_through_in_bounded_memory(mlflow: Any, server: TrackingServer) -> None:
    """A checkpoint of many gigabytes must not need a server of many gigabytes."""
    with mlflow.start_run() as run:
        pass
    url = f"{server.url}{FILES}/{root_of(run)}/large.bin"
    headers = {"Authorization": f"Bearer {TASK_TOKEN}"}
    block = os.urandom(1 << 20)
    process = psutil.Process(server.pid)
    before, most = process.memory_info().rss, 0

    def sent() -> Iterator[bytes]:
        nonlocal most
        for _ in range(LARGE_BYTES >> 20):
            yield block
            most = max(most, process.memory_info().rss)

    assert requests.put(url, data=sent(), headers=headers, timeout=120).status_code == 200
    digest = hashlib.sha256()
    with requests.get(url, headers=headers, stream=True, timeout=120) as answer:
        assert answer.headers["content-length"] == str(LARGE_BYTES)
        for chunk in answer.iter_content(1 << 20):
            digest.update(chunk)
            most = max(most, process.memory_info().rss)
    assert digest.digest() == hashlib.sha256(block * (LARGE_BYTES >> 20)).digest()
    assert most - before < MEMORY_GROWTH_MAX_BYTES


def test_a_broken_upload_leaves_no_file(mlflow: Any, server: TrackingServer) -> None:
    """Whole or not at all: a task killed while it uploads does not leave half a model to be loaded."""
    with mlflow.start_run() as run:
        pass

    def broken() -> Iterator[bytes]:
        yield os.urandom(20 << 20)
        raise ConnectionAbortedError

    with pytest.raises(requests.ConnectionError):
        requests.put(
            f"{server.url}{FILES}/{root_of(run)}/half.bin",
            data=broken(),
            headers={"Authorization": f"Bearer {TASK_TOKEN}"},
            timeout=60,
        )
    assert server.ask("GET", f"{FILES}/{root_of(run)}/half.bin")[0] == 404
    assert mlflow.MlflowClient().list_artifacts(run.info.run_id) == []
    # The server hears of it after the client has given up.
    deadline = time.monotonic() + 30
    while "Uploads" in server.s3.client().list_multipart_uploads(Bucket="weyr-tracking"):
        assert time.monotonic() < deadline, "the parts of a broken upload are kept"
        time.sleep(0.05)


REFUSED = {
    "another bucket": ("digits-lake/secret.txt", 403),
    "a bucket that is not there": ("nowhere/x", 403),
    "beside the experiments": ("weyr-tracking/x", 403),
    "climbing out": ("weyr-tracking/1/../../digits-lake/secret.txt", 403),
    "climbing out, encoded": ("weyr-tracking/1/%2e%2e/%2e%2e/digits-lake/secret.txt", 400),
    "climbing out, with backslashes": ("weyr-tracking/1/..%5C..%5Cdigits-lake", 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_proxy_does_not_lend_its_keys(server: TrackingServer, name: str) -> None:
    """The server may read every bucket; a task's tracking token may not, by whatever path it asks."""
    path, status = REFUSED[name]
    server.s3.client().put_object(Bucket="digits-lake", Key="secret.txt", Body=b"secret")
    for method in ("GET", "PUT", "DELETE"):
        # `requests` would fold the dots away before sending.
        prepared = requests.Request(method, server.url, data=b"x", headers={"Authorization": f"Bearer {TASK_TOKEN}"})
        request = prepared.prepare()
        request.url = f"{server.url}{FILES}/{path}"
        with requests.Session() as session:
            assert session.send(request, timeout=30).status_code in (status, 400)
    assert server.s3.client().get_object(Bucket="digits-lake", Key="secret.txt")["Body"].read() == b"secret"
    if status == 403:
        assert "no experiment keeps files there" in {reason for *_, reason in server.refusals()}


def test_a_reader_cannot_write(mlflow: Any, server: TrackingServer) -> None:
    """Reading is granted apart from writing."""
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "hello.txt")
    place = f"{FILES}/{root_of(run)}/hello.txt"
    answer = requests.get(server.url + place, headers={"Authorization": f"Bearer {READER_TOKEN}"}, timeout=30)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-disposition"] == "attachment"
    assert server.ask("PUT", place, b"other", token=READER_TOKEN)[0] == 403
    assert server.ask("DELETE", place, token=READER_TOKEN)[0] == 403
    assert server.ask("GET", place, token="")[0] == 401


def test_a_bucket_that_is_gone_is_said_to_be_missing(server: TrackingServer) -> None:
    """A stack that was taken down took its bucket along; its experiment's page still opens."""
    body = {"name": "gone", "artifact_location": "mlflow-artifacts:/gone-bucket/x"}
    assert server.ask("POST", "/api/2.0/mlflow/experiments/create", body, token=ADMIN_TOKEN)[0] == 200
    place = f"{FILES}/gone-bucket/x/file"
    answers = {method: server.ask(method, place, b"x") for method in ("PUT", "GET", "DELETE")}
    assert {method: status for method, (status, _) in answers.items()} == {"PUT": 404, "GET": 404, "DELETE": 200}
    assert server.ask("GET", f"{FILES}?path=gone-bucket/x") == (200, {})


def test_an_upload_outlives_a_killed_object_store(mlflow: Any, server: TrackingServer) -> None:
    """The plane is killed and comes back: the task's call takes longer, and does not fail."""
    with mlflow.start_run() as run:
        pass
    server.s3.stop(signal.SIGKILL)
    back = threading.Timer(0.5, server.s3.start)
    back.start()
    mlflow.MlflowClient().log_text(run.info.run_id, "hello", "hello.txt")
    back.join()
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/hello.txt") == "hello"

"""MLflow's own S3 artifact client, unmodified, with MLFLOW_S3_ENDPOINT_URL: no tracking server between."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from s3_plane import S3Plane, running_s3

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Plane]:
    with running_s3(tmp_path_factory.mktemp("s3")) as plane:
        plane.client().create_bucket(Bucket="mlflow")
        yield plane


@pytest.fixture
def repository(s3: S3Plane, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in s3.environment().items():
        if name.startswith("AWS_") and name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", s3.url)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository("s3://mlflow/0/run/artifacts")


def test_artifacts_go_up_are_listed_and_come_back(repository: Any, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "weights.bin").write_bytes(os.urandom(300_000))
    (tmp_path / "in" / "été 100%.txt").write_text("miaou")
    repository.log_artifacts(str(tmp_path / "in"), "model")
    assert [(info.path, info.is_dir) for info in repository.list_artifacts()] == [("model", True)]
    found = {(info.path, info.is_dir, info.file_size) for info in repository.list_artifacts("model")}
    assert found == {("model/deep", True, None), ("model/été 100%.txt", False, 5)}
    back = Path(repository.download_artifacts("model", str(tmp_path)))
    for name in ("deep/weights.bin", "été 100%.txt"):
        assert (back / name).read_bytes() == (tmp_path / "in" / name).read_bytes()
    repository.delete_artifacts("model/deep")
    assert [info.path for info in repository.list_artifacts("model")] == ["model/été 100%.txt"]


def test_a_large_artifact_goes_by_presigned_parts(repository: Any, tmp_path: Path) -> None:
    """As MLflow's server hands them out to its clients."""
    opened = repository.create_multipart_upload("large.bin", 2)
    from mlflow.entities.multipart_upload import MultipartUploadPart

    parts = []
    for credential, content in zip(opened.credentials, (b"a" * 5 * 2**20, b"b"), strict=True):
        answer = requests.put(credential.url, content, timeout=60)
        assert answer.status_code == 200, answer.text
        parts.append(MultipartUploadPart(credential.part_number, answer.headers["ETag"], credential.url))
    repository.complete_multipart_upload("large.bin", opened.upload_id, parts)
    back = Path(repository.download_artifacts("large.bin", str(tmp_path)))
    assert back.read_bytes() == b"a" * 5 * 2**20 + b"b"

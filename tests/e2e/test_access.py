"""Who may do what, and is everybody else written down? Asked at all four doors with real clients."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from one_user import User, s3_client, until
from stacks import serving
from user_life import a_user

SNOOP = Path(__file__).with_name("snoop.py")


@pytest.fixture(scope="module")
def owner(model_folder: Path) -> Iterator[User]:
    """Somebody whose stack stands, with a job in it that tried every door."""
    with a_user() as user:
        user.weyr("server", "start")
        until(lambda: (user.home / "run" / "inference.json").exists(), "the inference plane to run")
        doors = f"env: {{INFERENCE: '{user.url('inference')}'}}"
        snoop = f"  snoop: {{run: [python, {SNOOP}, whole-lake, whole-pond], reads: [lake], {doors}}}\nmodels:"
        text = serving(model_folder).replace("models:", snoop).replace("lake: {}", "lake: {}\n  pond: {}")
        user.up(text)
        yield user


def test_a_task_reaches_what_its_job_names_and_nothing_else(owner: User) -> None:
    """It lists the bucket that it reads; another bucket, writing, the API and an endpoint are closed to it."""
    assert dict(line.split() for line in owner.weyr("logs", "job/snoop").out.splitlines()) == {
        "list-own": "200", "list-other": "403", "write-own": "403", "api": "403", "secrets": "403",
        "inference": "403", "tracking": "200",
    }  # fmt: skip


def test_a_refusal_at_any_door_is_on_the_audit_trail(owner: User) -> None:
    """Unknown tokens and keys are refused, and `weyr audit` tells when, where and why."""
    key = next(iter(keys_of(owner)))
    with pytest.raises(ClientError) as wrong_secret:
        s3_client(owner.url("s3"), key, "not-the-secret").list_buckets()
    with pytest.raises(ClientError) as unknown_key:
        s3_client(owner.url("s3"), "NOSUCHKEY", "x").list_objects_v2(Bucket="whole-lake")
    answers = [
        owner.request("GET", "/v1/objects", token="wrong")[0],
        owner.request("GET", "/v1/objects", token="")[0],
        owner.request("POST", "/api/2.0/mlflow/runs/create", {}, token="wrong")[0],
        owner.request("GET", "/whole/sorter/v2/models/sorter", token="wrong", at=owner.url("inference"))[0],
    ]

    assert answers == [401, 401, 401, 401]
    assert wrong_secret.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert unknown_key.value.response["Error"]["Code"] == "InvalidAccessKeyId"

    def trail() -> list[dict[str, Any]]:
        return [event for event in owner.asked("audit")["events"] if event["principal"] != "task:whole:job/snoop#1"]

    told = until(lambda: found if len(found := trail()) >= 6 else [], "every refusal to be told")
    assert all(not event["allowed"] and event["reason"] for event in told)
    assert {event["process"] for event in told} == {"server", "s3", "inference"}
    assert any("mlflow" in event["resource"] or event["action"].startswith("tracking") for event in told)
    tasks = [e for e in owner.asked("audit")["events"] if e["principal"] == "task:whole:job/snoop#1"]
    assert {event["process"] for event in tasks} == {"server", "s3", "inference"}, "the job's tries are there too"


def test_a_task_that_ended_can_prove_itself_no_more(owner: User) -> None:
    """Its token and keys went with it: the only keys left are the administrator's and the replica's."""
    until(lambda: all("job/" not in principal for principal in keys_of(owner).values()), "its keys to be gone")


def keys_of(user: User) -> dict[str, str]:
    """Access key id → principal, the administrator's first."""
    keys = json.loads((user.home / "credentials.json").read_text())["keys"]
    found = {key: entry["principal"] for key, entry in keys.items()}
    return dict(sorted(found.items(), key=lambda item: item[1] != "admin"))

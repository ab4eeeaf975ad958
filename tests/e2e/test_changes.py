"""What happens when the file changes, and when somebody changes the world behind its back."""

import subprocess
import sys
from pathlib import Path

from one_user import User, until
from stacks import SMALL, serving


def test_an_edited_file_changes_what_it_says_and_nothing_else(user: User) -> None:
    """Another environment runs the job anew; a renamed bucket is replaced; what stays the same is left alone."""
    text = SMALL.replace("lake: {}", "lake: {}\n  pond: {name: first-name}")
    user.up(text)

    said = user.up(text.replace("first-name", "second-name") + "    env: {GREETING: hi}\n")

    assert "-/+ bucket/pond" in said.err or "± bucket/pond" in said.err, said.err
    assert "~ job/hello" in said.err
    assert [bucket["Name"] for bucket in user.s3().list_buckets()["Buckets"] if "name" in bucket["Name"]] == [
        "second-name"
    ]
    assert user.row("bucket/lake")["generation"] == 1, "nobody touched it"
    assert len(user.events("attempt.started")) == 2


def test_an_endpoint_grows_and_shrinks_with_its_file(user: User, model_folder: Path) -> None:
    """1 → 2 → 1 replicas, as the file says; the first replica stays what it was."""
    user.up(serving(model_folder))
    first = replicas(user)
    user.up(serving(model_folder, scale=2))
    grown = replicas(user)
    user.up(serving(model_folder))

    assert len(first) == 1
    assert len(grown) == 2
    assert set(first) < set(grown)
    until(lambda: len(replicas(user)) == 1, "one replica to be left")


def replicas(user: User) -> list[str]:
    """The endpoint's replicas that run."""
    return [thing["id"] for thing in user.row("endpoint/sorter")["things"] if thing.get("state") == "running"]


def test_a_broken_file_changes_nothing(user: User) -> None:
    """Whatever is wrong with it, the store is afterwards as it was before; every problem is told with its line."""
    user.up(SMALL)
    tables = ("stacks", "plans", "objects", "things", "events", "meters")
    before = {table: user.rows(f"SELECT count(*) FROM {table}") for table in tables}
    wanted = user.rows("SELECT kind, name, spec, generation FROM objects ORDER BY kind, name")

    for text, line in (
        ("stack: small\nbuckets:\n  lake: {lifecycle: 3}\n", "weyr.yaml:3"),
        ("stack: small\njobs:\n  hello: {run: x, reads: [sea]}\n", "weyr.yaml:3"),
        ("stack: small\nbuckets: [\n", "weyr.yaml"),
        ("\x00\x01binary", "weyr.yaml"),
    ):
        assert line in user.up(text, status=1).err

    assert {table: user.rows(f"SELECT count(*) FROM {table}") for table in tables} == before
    assert user.rows("SELECT kind, name, spec, generation FROM objects ORDER BY kind, name") == wanted


def test_a_bucket_deleted_by_hand_is_seen_healed_and_told(user: User) -> None:
    """boto3 deletes it; the next plan sees it, it comes back, and the plan after that shows what happened."""
    user.up(SMALL)
    s3 = user.s3()
    s3.delete_bucket(Bucket="small-lake")

    user.weyr("plan")
    until(lambda: user.events("drift"), "the drift to be told")
    user.until_phase("bucket/lake", "ready")

    s3.head_bucket(Bucket="small-lake")
    assert "deleted outside Weyr" in user.weyr("plan").out
    assert "deleted outside Weyr" in user.weyr("describe", "bucket/lake").out


def test_an_alias_moved_by_hand_goes_back_and_is_told(user: User, model_folder: Path) -> None:
    """The gate owns the alias: an MLflow client that moves it to a version that failed is undone."""
    user.up(serving(model_folder))
    user.up(serving(model_folder, accuracy=0.5))
    until(lambda: "version 2 failed its gate" in user.message("model/sorter"), "the gate to be told")
    alias = "/api/2.0/mlflow/registered-models/alias"
    assert user.api("GET", f"{alias}?name=whole-sorter&alias=production")["model_version"]["version"] == "1"
    move = "MlflowClient().set_registered_model_alias('whole-sorter', 'production', '2')"
    client = [sys.executable, "-c", f"from mlflow import MlflowClient; {move}"]
    surroundings = user.environment(MLFLOW_TRACKING_URI=user.url(), MLFLOW_TRACKING_TOKEN=user.token)
    subprocess.run(client, env=surroundings, check=True, capture_output=True)

    user.weyr("plan")
    until(lambda: user.events("drift"), "the drift to be told")

    def version() -> bool:
        found = user.api("GET", f"{alias}?name=whole-sorter&alias=production")["model_version"]["version"]
        return bool(found == "1")

    until(version, "the alias to be back")
    assert "moved outside Weyr" in user.weyr("plan").out

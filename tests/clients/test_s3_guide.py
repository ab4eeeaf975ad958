"""The guide to the S3 server is run as it is printed, block by block, with ports that are free."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import boto3
import duckdb
import pytest
from loopback import free_port

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "s3.md"
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
BINARIES = Path(sys.executable).parent
HTTPFS = files("duckdb_extension_httpfs") / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
START_S = 90.0


def environment_of(home: Path, exports: str = "") -> dict[str, str]:
    """A user's environment with nothing of AWS in it, and what the guide has exported so far."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MINIO_", "MLFLOW_"))}
    plain |= {"HOME": str(home), "PATH": f"{BINARIES}:{plain['PATH']}"}
    for name, value in re.findall(r"(\w+)=(\S+)", exports):
        plain[name] = value
    return plain


@contextmanager
def running(command: str, home: Path, exports: str, port: int) -> Iterator[None]:
    with (home / "serve.log").open("ab") as log:
        process = subprocess.Popen(command.split(), cwd=home, env=environment_of(home, exports), stderr=log, stdout=log)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_weyr/health", timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, (home / "serve.log").read_text()
                assert time.monotonic() < deadline, "the plane did not start"
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(START_S)


def ran(kind: str, block: str, home: Path, exports: str) -> str:
    command = ["bash", "-euo", "pipefail", "-c", block] if kind == "sh" else [sys.executable, "-c", block]
    done = subprocess.run(
        command, cwd=home, env=environment_of(home, exports), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_block_runs_in_the_order_of_the_guide(tmp_path: Path) -> None:
    """A reader who pastes one after the other gets to the end."""
    port = free_port()
    blocks = [
        (kind, block.replace("9000", str(port)).replace("INSTALL httpfs", f"INSTALL '{HTTPFS}'"))
        for kind, block in BLOCKS
    ]
    start = blocks[0][1]
    assert start.startswith("weyr s3 serve ")
    others = [block for block in blocks[1:] if "weyr s3 serve" not in block[1]]
    assert len(others) == 12
    exports, said = "", []
    with running(start, tmp_path, "", port):
        for kind, block in others:
            said.append(ran(kind, block, tmp_path, exports))
            exports += "\n".join(line for line in block.splitlines() if line.startswith("export ")) + "\n"
    assert (tmp_path / "runs" / "1.json").read_text() == (tmp_path / "copied" / "1.json").read_text()
    told = "".join(said)
    for line in ('"status": "ok"', "b'hello'", "lake/notes/a.txt", "2\n", "(499500,)", "1000\n", "metrics/run.json"):
        assert line in told


@pytest.mark.parametrize(
    ("heading", "key", "secret", "health", "well"),
    [
        ("Instead of LocalStack's S3", "test", "test", "/_localstack/health", '"s3": "running"'),
        ("Instead of MinIO", "minioadmin", "minioadmin-secret", "/minio/health/live", ""),
    ],
)
def test_the_replacements_start_with_what_their_users_have(
    tmp_path: Path, heading: str, key: str, secret: str, health: str, well: str
) -> None:
    """Their keys, their variables, and the address that their compose files poll."""
    section = GUIDE.read_text().partition(f"## {heading}\n")[2]
    block = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    port = free_port()
    command = re.sub(r"--port \d+", f"--port {port}", block.strip().splitlines()[-1])
    with running(command, tmp_path, block, port):
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(url + health, timeout=60) as answer:
            assert (answer.status, well in answer.read().decode()) == (200, True)
        client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1"
        )
        client.create_bucket(Bucket="minio")
        client.put_object(Bucket="minio", Key="health/live", Body=b"an object")
        got = client.get_object(Bucket="minio", Key="health/live")
        assert got["Body"].read() == b"an object", "a bucket of that name comes before the address"
    assert list((tmp_path / "buckets").glob("index.db"))


def test_the_tables_name_what_is_read() -> None:
    """A variable that the command reads is in the guide."""
    from weyr.cli.s3_environment import READ

    text = GUIDE.read_text()
    assert [name for name in READ if f"`{name}`" not in text] == []

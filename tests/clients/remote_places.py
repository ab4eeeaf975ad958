"""Places outside for tests: a folder, another Weyr, and moto as somebody else's S3."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import boto3
from s3_plane import ADMIN, running_s3

from weyr.gateway.s3.remote.place import Place, place_of

KEYS = {"access_key_id": ADMIN[0], "secret_access_key": ADMIN[1]}
START_S = 90.0


@contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """An empty place of this kind: `folder`, `weyr` or `moto`."""
    match kind:
        case "folder":
            yield place_of("far", f"file://{folder / 'far'}")
        case "weyr":
            with running_s3(folder / "peer") as peer:
                peer.client().create_bucket(Bucket="far")
                yield place_of("far", f"s3://far/in/it?endpoint={peer.url}", KEYS)
        case "moto":
            with moto(folder) as url:
                client = boto3.client(
                    "s3",
                    endpoint_url=url,
                    region_name="us-east-1",
                    aws_access_key_id=KEYS["access_key_id"],
                    aws_secret_access_key=KEYS["secret_access_key"],
                )
                client.create_bucket(Bucket="far")
                yield place_of("far", f"s3://far/in/it?endpoint={url}", KEYS)
        case _:
            raise AssertionError(kind)


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """moto's server, which keeps all in memory; gives its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    log_path = folder / "moto.log"
    with log_path.open("wb") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    try:
        yield _url_in(log_path, process)
    finally:
        process.kill()
        process.wait()


def _url_in(log: Path, process: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + START_S
    while "Running on http" not in (text := log.read_text()):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, "moto did not start"
        time.sleep(0.02)
    url = text.partition("Running on ")[2].split()[0]
    with urlopen(f"{url}/moto-api/data.json") as answer:
        answer.read()
    return url

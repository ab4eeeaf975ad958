"""Two planes and what is between them: how tests start them, wait for them and ask how far behind one is."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from test_s3_serve import SECRETS, USERS, Served, served

BACK_KEYS = {"WEYR_REMOTE_BACK_ACCESS_KEY_ID": "ANNKEY", "WEYR_REMOTE_BACK_SECRET_ACCESS_KEY": SECRETS["ann"]}
WEYR = Path(sys.executable).with_name("weyr")


def until(holds: Callable[[], object], what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"it never came to be: {what}"
        time.sleep(0.05)


@contextmanager
def pair(folder: Path, *arguments: str) -> Iterator[tuple[Served, Served]]:
    """A plane that replicates into another one, which it calls `back`. Both have the same users."""
    with (
        served(folder / "back", *USERS) as back,
        served(folder / "front", *USERS, f"--replica=back={back.url}", *arguments, **BACK_KEYS) as front,
    ):
        yield front, back


def replicate(client: Any, bucket: str, target: str = "back", **rule: Any) -> None:
    """Asks for replication with S3's own call. `rule` is laid over one that sends everything."""
    whole = {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "ExistingObjectReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
    }
    configuration = {"Role": "arn:aws:iam::1:role/any", "Rules": [whole | rule]}
    client.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=configuration)


def waiting(data: Path, bucket: str) -> int:
    """How many keys of a bucket are in line, and whether it is being looked through: 0 where all is there."""
    with closing(sqlite3.connect(data / "index.db")) as db:
        sql = "SELECT sum(r.waiting) + sum(r.scan IS NOT NULL) FROM replicas r JOIN buckets b ON b.id = r.bucket"
        return int(db.execute(f"{sql} WHERE b.name = ?", (bucket,)).fetchone()[0] or 0)


def shown(data: Path) -> list[dict[str, Any]]:
    """What `weyr s3 replication` shows."""
    command = [str(WEYR), "s3", "replication", "--data", str(data), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def everything(client: Any, bucket: str) -> dict[str, tuple[str, int]]:
    """Key → etag and size of all that a bucket shows."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {o["Key"]: (o["ETag"], o["Size"]) for page in pages for o in page.get("Contents", [])}

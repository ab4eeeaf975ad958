"""kill -9 at any moment: every acknowledged object is there and whole, and nothing half-written is seen."""

import hashlib
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from s3_plane import S3Plane, running_s3

ROUNDS = 10
WRITERS = 4
SIZES = [10, 5_000, 40_000, 300_000, 2_000_000]


class Writer(threading.Thread):
    """Puts, copies, uploads and deletes keys of its own until the plane is gone.

    `acknowledged` is what must be there; `in_doubt` the one write whose answer never came: old or new are both right.
    """

    def __init__(self, client: Any, name: str, acknowledged: dict[str, str], seed: int) -> None:
        super().__init__(name=name)
        self.acknowledged = acknowledged
        self.in_doubt: tuple[str, str] | None = None
        self.writes = 0
        self.refused = ""
        self._client = client
        self._random = random.Random(seed)

    def run(self) -> None:
        try:
            while True:
                self._step()
                self.writes += 1
        except (BotoCoreError, ClientError) as e:
            status = e.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(e, ClientError) else 0
            self.refused = str(e) if 400 <= status < 500 else ""

    def _step(self) -> None:
        key = f"{self.name}/{self._random.randrange(20)}"
        body = self._random.randbytes(self._random.choice(SIZES))
        digest = hashlib.md5(body).hexdigest()
        act: Callable[[], Any]
        match self._random.randrange(6):
            case 0 if key in self.acknowledged:
                digest = ""
                act = lambda: self._client.delete_object(Bucket="lake", Key=key)  # noqa: E731
            case 1:
                act = lambda: self._upload(key, body)  # noqa: E731
            case _:
                act = lambda: self._client.put_object(Bucket="lake", Key=key, Body=body)  # noqa: E731
        self.in_doubt = key, digest
        act()
        self.acknowledged[key] = digest
        self.in_doubt = None

    def _upload(self, key: str, body: bytes) -> None:
        target = {"Bucket": "lake", "Key": key}
        upload_id = self._client.create_multipart_upload(**target)["UploadId"]
        part = self._client.upload_part(**target, UploadId=upload_id, PartNumber=1, Body=body)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self._client.complete_multipart_upload(**target, UploadId=upload_id, MultipartUpload=parts)


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    """Ten times: writers at work, the process killed, a new one started, everything read back."""
    truth: dict[str, str] = {}
    with running_s3(tmp_path) as s3:
        s3.client().create_bucket(Bucket="lake")
        writes = 0
        for round_number in range(ROUNDS):
            writers = [
                Writer(s3.client(), f"w{number}", {}, seed=round_number * 100 + number) for number in range(WRITERS)
            ]
            for writer in writers:
                writer.acknowledged.update({k: v for k, v in truth.items() if k.startswith(f"{writer.name}/")})
                writer.start()
            time.sleep(0.3 + 0.07 * round_number)
            s3.stop(signal.SIGKILL)
            for writer in writers:
                writer.join(30)
                assert writer.refused == ""
            s3.start()
            for writer in writers:
                truth.update(writer.acknowledged)
                if writer.in_doubt:
                    key, digest = writer.in_doubt
                    found = digest_of(s3.client(), key)
                    assert found in (truth.get(key, ""), digest), (round_number, key)
                    truth[key] = found
                writes += writer.writes
            check(s3, truth)
        assert writes > ROUNDS * WRITERS
        check_disk(s3)


def digest_of(client: Any, key: str) -> str:
    try:
        return hashlib.md5(client.get_object(Bucket="lake", Key=key)["Body"].read()).hexdigest()
    except client.exceptions.NoSuchKey:
        return ""


def check(s3: S3Plane, truth: dict[str, str]) -> None:
    client = s3.client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="lake")
    listed = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
    assert listed == {key for key, digest in truth.items() if digest}
    for key, digest in truth.items():
        assert digest_of(client, key) == digest, key


def check_disk(s3: S3Plane) -> None:
    """No file without a name in the index, no name without its file, and the counters are right."""
    s3.stop(signal.SIGKILL)
    s3.start()
    data = s3.folder / "s3"
    deadline = time.monotonic() + 10
    while True:
        db = sqlite3.connect(data / "index.db")
        named = {row[0] for row in db.execute("SELECT id FROM blobs WHERE data IS NULL")}
        counted = db.execute("SELECT objects, size_bytes FROM buckets").fetchone()
        objects = db.execute("SELECT count(*), sum(size) FROM objects").fetchone()
        parts = db.execute("SELECT coalesce(sum(size), 0) FROM parts").fetchone()
        db.close()
        files = {int(path.name, 16) for path in (data / "blobs").rglob("*") if path.is_file()}
        if files == named and not os.listdir(data / "incoming"):
            break
        assert time.monotonic() < deadline, (files ^ named, os.listdir(data / "incoming"))
        time.sleep(0.05)
    assert counted == (objects[0], objects[1] + parts[0])

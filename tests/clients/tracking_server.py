"""Real tracking for tests: `with running_tracking(folder) as server:` starts an S3 plane and the protocol on it."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from s3_plane import ADMIN, S3Plane, running_s3

from weyr.store.database import Database
from weyr.store.place import PostgresUrl, remember_store
from weyr.tracking.service import Tracking

START_S = 90.0
BUCKETS = ("weyr-tracking", "digits-lake")
ADMIN_TOKEN, TASK_TOKEN, READER_TOKEN = "token-admin", "token-task", "token-reader"
TASK = "task:digits:job/train#2"
GRANTS = {
    "admin": (ADMIN_TOKEN, "*"),
    TASK: (TASK_TOKEN, "tracking:read:*,tracking:write:*,s3:write:digits-lake/*"),
    "task:digits:job/report": (READER_TOKEN, "tracking:read:*"),
}


@dataclass(frozen=True)
class TrackingServer:
    """The protocol as a process of its own, with its files in a real object store."""

    url: str
    pid: int
    folder: Path
    s3: S3Plane
    database: Database

    def set_environment(self, patch: pytest.MonkeyPatch, token: str = TASK_TOKEN) -> None:
        """What a task's environment holds for the MLflow client: an address and a token, no key to the store."""
        patch.setenv("MLFLOW_TRACKING_URI", self.url)
        patch.setenv("MLFLOW_TRACKING_TOKEN", token)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)

    def ask(self, method: str, path: str, body: Any = None, token: str = TASK_TOKEN) -> tuple[int, Any]:
        """A bare request, for what the client would never send."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body)
        answer = requests.request(method, self.url + path, data=content, headers=headers, timeout=60)
        return answer.status_code, answer.json() if answer.content else None

    def tracking(self) -> Tracking:
        """The service on the same database, as the loop and the API hold it."""
        return Tracking(self.database, time.time, lambda: uuid.uuid4().hex)

    def refusals(self) -> list[list[str]]:
        trail = self.folder / "refusals.jsonl"
        return [json.loads(line) for line in trail.read_text().splitlines()] if trail.exists() else []


@contextmanager
def running_tracking(folder: Path, place: Path | PostgresUrl | None = None) -> Iterator[TrackingServer]:
    """Takes `place`: where its store is, if not in a file of the folder."""
    place = place or folder / "store.db"
    remember_store(folder, place)
    with running_s3(folder / "s3") as s3:
        for bucket in BUCKETS:
            status, _ = s3.ask("PUT", f"/buckets/{bucket}", {"owner": "test", "lifecycle": []})
            assert status < 300
        info = folder / "info.json"
        tokens = [f"--token={name}={token}={grants}" for name, (token, grants) in GRANTS.items()]
        app = Path(__file__).with_name("tracking_app.py")
        log = (folder / "log").open("wb")
        command = [
            sys.executable,
            str(app),
            "--data",
            str(folder),
            "--info",
            str(info),
            "--s3",
            s3.url,
            *ADMIN,
            *tokens,
        ]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        try:
            deadline = time.monotonic() + START_S
            while not info.exists():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "the tracking server did not start"
                time.sleep(0.02)
            database = Database(place)
            about = json.loads(info.read_text())
            yield TrackingServer(about["url"], about["pid"], folder, s3, database)
            database.close()
        finally:
            process.terminate()
            process.wait(START_S)

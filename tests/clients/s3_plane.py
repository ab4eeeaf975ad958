"""A real S3 plane for tests: `with running_s3(tmp_path) as s3:` starts the process, and stops it by its own pid."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import free_port

START_S = 90.0
ADMIN = ("WEYRADMIN", "admin-secret-admin-secret")

Keys = Mapping[str, tuple[str, Sequence[str]]]
"""access key id → (secret, grants); its principal is named like the key, in lower case."""


@dataclass
class S3Plane:
    """The running plane: where it is, who may call, and how it is steered."""

    folder: Path
    port: int
    sockets: Path
    keys: dict[str, tuple[str, Sequence[str]]]
    arguments: list[str] = field(default_factory=list)
    variables: Mapping[str, str] | None = None
    """Its environment; None for ours."""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self) -> Path:
        return self.sockets / "s3.sock"

    @property
    def pids(self) -> list[int]:
        """Of all processes of the plane: that which was started, that which writes the index, and the workers."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    @property
    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def client(self, key: str = ADMIN[0], secret: str = "", **config: Any) -> Any:
        """An unmodified boto3 client, signing with `key`."""
        import boto3
        from botocore.config import Config

        settings = {"retries": {"max_attempts": 1}, "s3": {"addressing_style": "path"}} | config
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret or self.keys[key][0],
            config=Config(**settings),
        )

    def connection(self) -> socket.socket:
        """A connection to send what no SDK would."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=START_S)

    def environment(self) -> dict[str, str]:
        """What the AWS CLI and SDKs need to find the plane, over this process's own environment."""
        named = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        keys = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return os.environ | named | keys | nowhere

    def ask(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        """One request to the control socket."""
        connection = http.client.HTTPConnection("control")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self.control))
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def start(self) -> None:
        """Starts the process and waits until it says that it is ready."""
        (self.folder / "info.json").unlink(missing_ok=True)
        log = (self.folder / "s3.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "weyr.gateway.s3", *self._paths(), "--port", str(self.port), *self.arguments],
            stdout=log,
            stderr=log,
            env=self.variables,
        )
        log.close()
        info = self.folder / "info.json"
        deadline = time.monotonic() + START_S
        while not info.exists():
            assert self.process.poll() is None, (self.folder / "s3.log").read_text()
            assert time.monotonic() < deadline, "the S3 plane did not start"
            time.sleep(0.01)
        self.port = json.loads(info.read_text())["port"]

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """Ends the process, and waits until its children have ended with it; gives its exit code."""
        assert self.process is not None
        children = self.pids[1:]
        self.process.send_signal(with_signal)
        code = self.process.wait(START_S)
        deadline = time.monotonic() + START_S
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            assert time.monotonic() < deadline, f"{children} outlive their parent"
            time.sleep(0.002)
        self.process = None
        return code

    def _paths(self) -> list[str]:
        folder = self.folder
        return [
            *("--data", str(folder / "s3"), "--credentials", str(folder / "credentials.json")),
            *("--audit", str(folder / "audit.jsonl"), "--control", str(self.control)),
            *("--info", str(folder / "info.json")),
        ]

    def write_credentials(self) -> None:
        document = {
            "generation": 1,
            "principals": {key.lower(): {"grants": list(grants)} for key, (_, grants) in self.keys.items()},
            "tokens": {},
            "keys": {key: {"secret": secret, "principal": key.lower()} for key, (secret, _) in self.keys.items()},
        }
        temporary = self.folder / "credentials.tmp"
        temporary.write_text(json.dumps(document))
        os.replace(temporary, self.folder / "credentials.json")


@contextmanager
def running_s3(
    folder: Path, keys: Keys | None = None, arguments: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Iterator[S3Plane]:
    """A plane with its data in `folder`; the admin's key is `ADMIN`, others come in `keys`."""
    folder.mkdir(parents=True, exist_ok=True)
    # pytest's folders can be longer than a Unix socket's address may be.
    sockets = Path(tempfile.mkdtemp(prefix="weyr-s3-"))
    known = {ADMIN[0]: (ADMIN[1], ["*"]), **(keys or {})}
    plane = S3Plane(folder, free_port(), sockets, known, list(arguments), variables)
    plane.write_credentials()
    try:
        plane.start()
        yield plane
    finally:
        if plane.process is not None and plane.process.poll() is None:
            plane.stop(signal.SIGKILL)
        shutil.rmtree(sockets, ignore_errors=True)

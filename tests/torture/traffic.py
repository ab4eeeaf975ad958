"""A writer that remembers what was acknowledged, and a reader that remembers every answer, beside the kills."""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from one_user import User
from sklearn.datasets import load_digits

KEYS = 60
SIZES = (0, 12, 3_000, 70_000, 400_000)
PART_BYTES = 5 * 2**20
SAMPLE = slice(100, 140)
GONE = ""
EXCUSED_S = 20.0
"""So long after a kill in its way a question may fail; longer only while none was answered since."""


@dataclass
class Kept:
    """A key: the digest that the last acknowledgement promised, and those that later tries may have left.

    `promised` None: nothing was ever acknowledged. "" stands for an object that is not there.
    """

    promised: str | None = None
    possible: set[str] = field(default_factory=set)

    def admits(self, digest: str) -> bool:
        return digest in self.possible or digest == (GONE if self.promised is None else self.promised)


class _Loop:
    """A thread that does the same again and again until it is told to end."""

    pause_s = 0.1

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self.pause_s):
            self.turn()

    def turn(self) -> None:
        raise NotImplementedError


class Writer(_Loop):
    """Puts, replaces and deletes objects, small and large, in one piece and in parts."""

    def __init__(self, user: User, bucket: str, seed: int) -> None:
        super().__init__()
        self._user, self._bucket, self._random = user, bucket, random.Random(seed)
        self._client: Any = None
        self.kept: dict[str, Kept] = {}
        self.acknowledged = self.refused = 0

    def turn(self) -> None:
        key = f"torture/{self._random.randrange(KEYS):02}"
        chance = self._random.random()
        kept = self.kept.setdefault(key, Kept())
        content = b"" if chance < 0.1 else self._random.randbytes(self._random.choice(SIZES))
        if chance > 0.98:
            content = self._random.randbytes(PART_BYTES + 1000)
        digest = GONE if chance < 0.1 else _digest(content)
        kept.possible.add(digest)
        try:
            self._client = self._client or self._user.s3()
            if chance < 0.1:
                self._client.delete_object(Bucket=self._bucket, Key=key)
            elif chance > 0.98:
                self._put_in_parts(key, content)
            else:
                answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
                assert answer["ETag"] == f'"{hashlib.md5(content).hexdigest()}"', f"{key} got another content's ETag"
        except (BotoCoreError, ClientError, OSError, ValueError, StopIteration):
            self.refused += 1  # nobody said yes: it may be there or not
            return
        kept.promised, kept.possible = digest, set()
        self.acknowledged += 1

    def _put_in_parts(self, key: str, content: bytes) -> None:
        where = {"Bucket": self._bucket, "Key": key}
        upload = {**where, "UploadId": self._client.create_multipart_upload(**where)["UploadId"]}
        pieces = enumerate((content[:PART_BYTES], content[PART_BYTES:]), start=1)
        parts = [
            {"PartNumber": n, "ETag": self._client.upload_part(**upload, PartNumber=n, Body=piece)["ETag"]}
            for n, piece in pieces
        ]
        self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def lost(self) -> list[str]:
        """Every key whose content is not what was acknowledged last, nor what a later try may have left."""
        client = self._user.s3()
        there = {
            entry["Key"]: _digest(client.get_object(Bucket=self._bucket, Key=entry["Key"])["Body"].read())
            for entry in client.list_objects_v2(Bucket=self._bucket, Prefix="torture/").get("Contents", [])
        }
        return [key for key, kept in self.kept.items() if not kept.admits(there.get(key, GONE))]


class Reader(_Loop):
    """Asks the endpoint to read forty images. Answers must be right, and the same each time."""

    pause_s = 0.2

    def __init__(self, user: User, killed_at: Callable[[], float]) -> None:
        """`killed_at` tells when something in the way of a question was killed last; 0 for never."""
        super().__init__()
        self._user, self._killed_at = user, killed_at
        images, labels = load_digits(return_X_y=True)
        self._images, self._labels = images[SAMPLE], labels[SAMPLE].tolist()
        self._input = ""
        self.answers = self.failures = 0
        self.answered_at = 0.0
        self.last_failure = ""
        self.wrong: list[str] = []

    def turn(self) -> None:
        began = time.time()
        try:
            predicted = self.ask()
        except (OSError, HTTPException, AssertionError, ValueError, KeyError) as e:
            self.failures += 1
            self.last_failure = repr(e)
            if self.answers and self._killed_at() < min(self.answered_at, began - EXCUSED_S):
                self.wrong.append(f"asked at {began:.2f}, not answered with nothing in its way killed: {e!r}")
            return
        right = sum(a == b for a, b in zip(predicted, self._labels, strict=True))
        if right < 0.9 * len(predicted):
            self.wrong.append(f"only {right} of {len(predicted)} images were read right")
        self.answers += 1
        self.answered_at = began

    def ask(self) -> list[int]:
        """Raises: OSError, HTTPException, AssertionError where there is no answer."""
        at, path = self._user.url("inference"), "/digits/digits/v2/models/digits"
        self._input = self._input or str(self._user.api("GET", path, at=at)["inputs"][0]["name"])
        takes = {"name": self._input, "shape": list(self._images.shape), "datatype": "FP64"}
        question = {"inputs": [{**takes, "data": self._images.ravel().tolist()}]}
        answer = self._user.api("POST", f"{path}/infer", question, at=at)
        return [int(value) for value in answer["outputs"][0]["data"]]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

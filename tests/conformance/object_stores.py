"""The object stores under trial: the real S3 plane, and the simulated one."""

import tempfile
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from s3_plane import ADMIN, running_s3
from services import SIM_LUCK, PlaneService, SimService

from weyr.core.capability import BucketBody, Wanted
from weyr.core.ref import ThingId
from weyr.core.seen import BucketRule
from weyr.engines.local.objects import LocalObjects
from weyr.sim.services import SimBuckets

RULE = BucketRule("tmp/", 60.0, (("of", "a job"),), 120.0, 180.0)
TASK_KEY = "TASK:DIGITS:JOB/TRAIN#2"
"""The plane's test principals are named like their keys in lower case, so this one is a task's."""


class ObjectStore(PlaneService):
    kind = "bucket"

    def want(self, id: ThingId, generation: int = 1) -> Wanted:
        return Wanted(id, generation, BucketBody(self.name(id), (RULE,)))

    @staticmethod
    def name(id: ThingId) -> str:
        return f"{id.ref.stack}-{id.ref.name}"

    @abstractmethod
    def let_time_pass(self) -> None:
        """A moment, for an engine that counts what is asked of it a little later."""

    @abstractmethod
    def fill(self, bucket: str, sizes: Mapping[str, int]) -> None:
        """Somebody puts objects of these sizes."""


class LocalObjectStore(ObjectStore):
    def __init__(self) -> None:
        self._held = ExitStack()
        folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="weyr-"))
        self.plane = self._held.enter_context(running_s3(Path(folder), {TASK_KEY: ("task-secret-task-secret", ["*"])}))
        self.provider = LocalObjects(self.plane.control)

    def client(self, key: str = ADMIN[0]) -> Any:
        return self.plane.client(key)

    def fill(self, bucket: str, sizes: Mapping[str, int]) -> None:
        for key, size in sizes.items():
            self.client().put_object(Bucket=bucket, Key=key, Body=b"x" * size)

    def let_time_pass(self) -> None:
        threading.Event().wait(0.05)

    def go_down(self) -> None:
        self.plane.stop()

    def come_back(self) -> None:
        self.plane.start()

    def close(self) -> None:
        self._held.close()


class SimObjectStore(SimService[SimBuckets], ObjectStore):
    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.buckets, **luck)  # type: ignore[arg-type]

    def fill(self, bucket: str, sizes: Mapping[str, int]) -> None:
        self.provider.fill(bucket, sum(sizes.values()), len(sizes))
        self.provider.ask(bucket, writes=len(sizes))

    def let_time_pass(self) -> None:
        self.clock.advance(0.05)


OBJECT_STORES: Mapping[str, Callable[[], ObjectStore]] = {
    "local": LocalObjectStore,
    **{name: partial(SimObjectStore, **luck) for name, luck in SIM_LUCK.items()},
}

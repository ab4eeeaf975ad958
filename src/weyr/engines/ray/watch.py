"""What does one attempt in the cluster do? Asked without a pause, and brought into its folder as it is told."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ray
from ray.exceptions import ActorDiedError, RayError

from weyr.attempt import task_folder
from weyr.attempt.logs import log_files
from weyr.attempt.parcel import Wish, pieces_of
from weyr.attempt.shipping import SHIPPED_FOLDER
from weyr.attempt.task_folder import BEGUN, EXIT, STATE
from weyr.engines.ray.member import News, Place

AGAIN_S = 0.5
CLEAR_S = 5.0


class Watch:
    """Takes an attempt's id, its actor, and the folder of all tasks. `trouble` says why it is out of touch, "" while it
    is not; `is_heard`, that it has begun, for it has told something."""

    def __init__(self, id: str, actor: Any, tasks: Path, events: str) -> None:
        self.id, self.actor, self._events, self._tasks = id, actor, events, tasks
        self._folder = str(tasks / quote(id, safe=""))
        self._node = ""
        self.trouble = ""
        self.is_heard = False
        self.pinned = str((task_folder.read_json(self._folder, BEGUN) or {}).get("node", ""))
        """Ray's id of the node that it can begin on and no other; "" where it can on any."""

    async def follow(self) -> None:
        """Returns once its end is recorded here, or there is no folder to record it in and it is over."""
        place = self._read_so_far()
        while True:
            try:
                news: News = await self.actor.news.remote(place)
            except ActorDiedError as e:
                end = await asyncio.to_thread(self._end_of_dead, e)
                if end is not None:
                    self._record(end)
                    return
                await asyncio.sleep(AGAIN_S)
                continue
            except RayError as e:  # it may be there: only the head says who is dead
                self._lose_touch(f"its node cannot be reached: {type(e).__name__}")
                await asyncio.sleep(AGAIN_S)
                continue
            self.trouble, self.is_heard, self._node = "", True, news["node"]
            place = self._take(news)
            if news["lacking"]:
                await self._send(news["lacking"])
            if news["end"] is not None:
                self._record(news["end"])
                return

    async def _send(self, wishes: Sequence[Wish]) -> None:
        """Brings files of its folder to its node. What is cut off is asked for again, from there on."""
        bundles = pieces_of(self._tasks / SHIPPED_FOLDER, wishes)
        try:
            while bundle := await asyncio.to_thread(next, bundles, None):
                await self.actor.give.remote(bundle)
        except OSError:
            await self.actor.give.remote([])  # it was cleared away here: the attempt ends, and says so
        except RayError:
            return  # it is asked whether it is there

    def _take(self, news: News) -> Place:
        if os.path.isdir(self._folder):
            self._keep_log(news)
            if news["state"] is not None:
                task_folder.write_json(self._folder, STATE, {**news["state"], "node": news["host"]})
                self._tell("changed")
        return Place(file=news["file"], offset=news["offset"] + len(news["text"]), version=news["version"])

    def _keep_log(self, news: News) -> None:
        """Written at its offset: said twice it is the same. What the node dropped is dropped here as well."""
        if news["text"]:
            fd = os.open(os.path.join(self._folder, news["file"]), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(fd, news["text"], news["offset"])
            finally:
                os.close(fd)
        for name in log_files(self._folder):
            if name < news["oldest"]:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._folder, name))

    def _read_so_far(self) -> Place:
        files = log_files(self._folder)
        size = os.path.getsize(os.path.join(self._folder, files[-1])) if files else 0
        return Place(file=files[-1] if files else "", offset=size, version=-1)

    def _end_of_dead(self, error: ActorDiedError) -> dict[str, Any] | None:
        """The head says that it is dead; whether with its node, the head says as well. None where it is not there."""
        try:
            living = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        except Exception as e:  # noqa: BLE001 - ray's errors have no common class, and each means the same here
            self._lose_touch(f"the Ray head does not answer: {type(e).__name__}")
            return None
        if self._node and self._node not in living:
            return {"reason": "node lost", "detail": "the Ray node that it ran on is gone"}
        stop = task_folder.read_json(self._folder, task_folder.STOP)
        if stop and not self.is_heard:
            return {"reason": "stopped", "detail": "it was told to stop before it began"}
        return {"reason": "lost", "detail": f"its actor is gone: {str(error).strip().splitlines()[0][:300]}"}

    def _record(self, end: dict[str, Any]) -> None:
        """Durably, and before anybody is told. One that is there already stays: it is from the attempt itself."""
        if os.path.isdir(self._folder) and not os.path.exists(os.path.join(self._folder, EXIT)):
            whole = {**end, "ended_at": end.get("ended_at") or time.time()}
            task_folder.write_json(self._folder, EXIT, whole, is_durable=True)
        self._tell("ended")

    def give_up(self, why: str) -> None:
        """It has not begun, and never will."""
        self._record({"reason": "node lost", "detail": why})

    def _lose_touch(self, why: str) -> None:
        if not self.trouble:
            self.trouble = why
            self._tell("gone")

    def _tell(self, event: str) -> None:
        task_folder.tell(self._events, self.id, event)

    async def clear(self) -> None:
        """Takes its files from the node, and the actor away."""
        with suppress(Exception):  # the files of a task that are left on a node harm nobody
            await asyncio.wait_for(self.actor.clear.remote(), CLEAR_S)
        await asyncio.to_thread(ray.kill, self.actor)

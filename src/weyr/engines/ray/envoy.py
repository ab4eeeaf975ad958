"""Who talks to the cluster? This program: `python -m weyr.engines.ray.envoy`, one for each cluster a server uses.

The server does not import ray. It asks over a Unix socket, a JSON line for each request and one for each answer; the
helper brings what the cluster says into the folders of the tasks. It keeps nothing: actors are found by their names. It
ends when its input does, that is, with the server.

    {"do": "start", "gang": [...], "needs": [...], "nodes": [...]}  → {"answer": ""}
    {"do": "ask", "id": ..., "name": "stop.json", "request": {...}}  → {}
    {"do": "remove", "id": ...}  → {}
    {"do": "look"}  → {"cluster": ..., "trouble": "", "alive": [...], "out_of_touch": [...]}
    {"do": "nodes", "tell": [...]}  → {"nodes": [...], "trouble": ""}
"""

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"

import ray
from ray._private.state import available_resources_per_node
from ray._private.worker import global_worker
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from weyr.attempt import task_folder
from weyr.engines.ray.cluster import MODEL, RayNode
from weyr.engines.ray.member import Member
from weyr.engines.ray.watch import Watch

LOOK_EVERY_S = 1.0
NODE_ID = "ray.io/node-id"
"""The label that each node has of itself."""
COUNTED = ("CPU", "memory", "GPU")
ASK_S = 4.0
GIVE_UP_S = 5.0
LINE_BYTES_MAX = 64 << 20


class Helper:
    """The attempts of one namespace. `_watches` has those that are alive as far as is known."""

    def __init__(self, namespace: str, folder: Path, events: str, python: str) -> None:
        self._namespace, self._folder, self._events, self._python = namespace, folder, events, python
        self._watches: dict[str, Watch] = {}
        self._following: set[asyncio.Task[None]] = set()
        self._starting: set[str] = set()
        self._trouble = ""
        self._nodes: list[RayNode] | None = None
        self._tell: list[str] = []
        """The pools that are told when a node comes or goes, or others take of it."""
        self._actor = ray.remote(Member)

    def adopt(self) -> None:
        """Finds what runs since before this helper. Raises whatever ray does."""
        for found in ray.util.list_named_actors(all_namespaces=True):
            if found["namespace"] == self._namespace and found["name"] not in self._watches:
                self._watch(found["name"], ray.get_actor(found["name"], namespace=self._namespace))

    async def keep_looking(self) -> None:
        """Knows whether the head answers, and so whether what is known is any news. Ends this process once it has not
        for long: a head that comes back may be of another cluster, and another helper finds out of which."""
        heard_at = time.monotonic()
        while time.monotonic() - heard_at < GIVE_UP_S:
            try:
                head = global_worker.gcs_client
                await asyncio.wait_for(asyncio.to_thread(head.check_alive, [], LOOK_EVERY_S), 5 * LOOK_EVERY_S)
                self._trouble, heard_at = "", time.monotonic()
                await self._look_at_nodes()
            except Exception as e:  # noqa: BLE001 - ray's errors have no common class, and each means the same here
                self._trouble = f"the Ray head does not answer: {type(e).__name__}"
            await asyncio.sleep(LOOK_EVERY_S)
        print(self._trouble, file=sys.stderr, flush=True)
        os._exit(1)

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "start":
                return {"answer": await self._start(request["gang"], request["needs"], request["nodes"])}
            case "ask":
                return await self._ask(request["id"], request["name"], request["request"])
            case "remove":
                return await self._remove(request["id"])
            case "look":
                return {
                    "cluster": str(global_worker.gcs_client.cluster_id.hex()),
                    "trouble": self._trouble,
                    "alive": sorted({*self._watches, *self._starting}),  # to begin a gang may take seconds
                    "out_of_touch": {id: watch.trouble for id, watch in self._watches.items() if watch.trouble},
                }
            case "nodes":
                self._tell = request["tell"]
                self._nodes = await asyncio.to_thread(_nodes)
                return {"nodes": self._nodes, "trouble": self._trouble}
            case other:
                return {"error": f"{other!r} is nothing that this helper does"}

    async def _look_at_nodes(self) -> None:
        """Tells pools of what is new, and ends what was to begin on a node that is gone: Ray would wait for it for
        ever."""
        pinned = [watch for watch in self._watches.values() if not watch.is_heard and watch.pinned]
        if not self._tell and not pinned:
            return
        nodes = await asyncio.to_thread(_nodes)
        for id in self._tell if nodes != self._nodes else ():
            task_folder.tell(self._events, id, "looked")
        self._nodes = nodes
        alive = {node["id"] for node in nodes}
        for watch in [watch for watch in pinned if watch.pinned not in alive]:
            watch.give_up("the Ray node that it was to begin on is gone")
            await asyncio.to_thread(ray.kill, watch.actor)

    async def _start(self, gang: list[dict[str, Any]], needs: list[dict[str, Any]], nodes: list[str]) -> str:
        ids = {order["id"] for order in gang}
        self._starting |= ids  # or its group would be taken for one whose members are all gone
        try:
            actors = await asyncio.to_thread(self._created, gang, needs, nodes)
        except Exception as e:  # noqa: BLE001 - whatever it is, the server has to know that it is not known
            return f"{type(e).__name__}: {e}"
        else:
            for id, actor in actors.items():
                self._watch(id, actor)
            return ""
        finally:
            self._starting -= ids

    def _created(self, gang: list[dict[str, Any]], needs: list[dict[str, Any]], nodes: list[str]) -> dict[str, Any]:
        """All of a gang or nothing: a placement group is reserved whole. A name is taken at most once. Each on its
        node, where one was chosen."""
        group = None
        pins = [{NODE_ID: node} if node else {} for node in nodes]
        if len(gang) > 1:
            # The name says who is in it: that is how it is known when the last of them is gone.
            name = f"{self._namespace}/{' '.join(order['id'] for order in gang)}"
            bundles = [_bundle(need) for need in needs]
            group = placement_group(bundles, "PACK", name=name, lifetime="detached", bundle_label_selector=pins)
        actors = {}
        for rank, (order, need, pin) in enumerate(zip(gang, needs, pins, strict=True)):
            actors[order["id"]] = self._actor.options(
                name=order["id"],
                namespace=self._namespace,
                lifetime="detached",
                get_if_exists=True,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, rank) if group else "DEFAULT",
                label_selector=None if group else pin,
                **need,
            ).remote(order, self._python)
        return actors

    def _watch(self, id: str, actor: Any) -> None:
        if id in self._watches:
            return
        watch = self._watches[id] = Watch(id, actor, self._folder, self._events)
        following = asyncio.get_running_loop().create_task(self._follow(watch))
        self._following.add(following)
        following.add_done_callback(self._following.discard)

    async def _follow(self, watch: Watch) -> None:
        await watch.follow()
        await self._let_go(watch)

    async def _ask(self, id: str, name: str, request: dict[str, float]) -> dict[str, Any]:
        watch = self._watches.get(id)
        if watch is None:
            return {}
        if watch.is_heard:
            await asyncio.wait_for(watch.actor.ask.remote(name, request), ASK_S)
        else:
            # It waits for room, and nothing of it runs: what was never heard has not begun.
            await asyncio.to_thread(ray.kill, watch.actor)
        return {}

    async def _remove(self, id: str) -> dict[str, Any]:
        watch = self._watches.get(id)
        if watch is not None:
            await self._let_go(watch)
        return {}

    async def _let_go(self, watch: Watch) -> None:
        """Takes an attempt that is over, or that nobody owns, out of the cluster; the last of a gang with its group."""
        await watch.clear()
        self._watches.pop(watch.id, None)
        await asyncio.to_thread(self._remove_groups)

    def _remove_groups(self) -> None:
        """Those of ours of which no member is left."""
        mark = f"{self._namespace}/"
        for found in ray.util.placement_group_table().values():
            name = found["name"]
            if not name.startswith(mark) or found["state"] == "REMOVED":
                continue
            if not {*self._watches, *self._starting} & {*name.removeprefix(mark).split(" ")}:
                with suppress(ValueError):  # gone since we looked
                    remove_placement_group(ray.util.get_placement_group(name))


def _nodes() -> list[RayNode]:
    """Those that the head counts as alive. Raises whatever ray does."""
    available = available_resources_per_node()
    return [
        RayNode(
            id=node["NodeID"],
            name=node["NodeName"] or node["NodeManagerAddress"],
            resources={name: amount for name, amount in node["Resources"].items() if name in COUNTED or MODEL in name},
            available=_counted(available.get(node["NodeID"])),
            labels=node["Labels"] or {},
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def _counted(resources: dict[str, float] | None) -> dict[str, float] | None:
    return None if resources is None else {name: amount for name, amount in resources.items() if name in COUNTED}


def _bundle(need: dict[str, Any]) -> dict[str, float]:
    """What a member needs, as placement groups have it."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    plain = {word: need[name] for name, word in names.items() if need.get(name)}
    return {**plain, **need.get("resources", {})}


async def serve(helper: Helper, path: str) -> None:
    """Answers until the input ends."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            try:
                answer = await helper.answer(json.loads(await reader.readline()))
            except Exception as e:  # noqa: BLE001 - the request's edge: the server is told, and asks again
                answer = {"error": f"{type(e).__name__}: {e}"}
            writer.write(json.dumps(answer).encode())
            await writer.drain()
            writer.close()

    helper.adopt()
    looking = asyncio.create_task(helper.keep_looking())
    with suppress(FileNotFoundError):
        os.unlink(path)
    door = await asyncio.start_unix_server(one, path, limit=LINE_BYTES_MAX)
    os.chmod(path, 0o600)
    await asyncio.to_thread(sys.stdin.read)
    looking.cancel()
    door.close()


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m weyr.engines.ray.envoy")
    parser.add_argument("--address", required=True, help="the cluster's head, or auto")
    parser.add_argument("--namespace", required=True, help="whose attempts are ours")
    parser.add_argument("--folder", type=Path, required=True, help="the folder of the tasks' folders")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--events", default="", help="a datagram socket that is told of changes")
    parser.add_argument("--python", required=True, help="the interpreter that has Weyr, on every node")
    options = parser.parse_args(argv)
    os.umask(0o077)
    ray.init(address=options.address, namespace=options.namespace, logging_level="error", log_to_driver=False)
    asyncio.run(serve(Helper(options.namespace, options.folder, options.events, options.python), options.socket))
    os._exit(0)  # ray.shutdown takes seconds, and there is nothing that it could save


if __name__ == "__main__":
    main(sys.argv[1:])

"""Where does Prometheus find everything? Targets that it asks for by HTTP, most of them at the server's own door.

Replicas listen on sockets and ports that come and go. So the server names each as a target of its own, with labels that
say whose it is, and passes on what the target says, as it says it. The inference plane tells of itself at its own port:
whoever scrapes it goes on while the server is down.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from weyr.compose.doors import ports_of
from weyr.compose.kinds import ENGINE_METRICS
from weyr.core.capability import TaskBody
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.reconcile.world import World
from weyr.server.answers import Conflict, NotFound
from weyr.server.live import versions_of
from weyr.server.page_text import Connection
from weyr.server.service import Service
from weyr.store.kernel import ThingRow

TIMEOUT_S = 5.0
BYTES_MAX = 32 * 2**20
DCGM_PORT = 9400
"""Where NVIDIA's DCGM exporter listens unless it is told otherwise."""


def targets(service: Service) -> list[dict[str, Any]]:
    """What http_sd gives: each target with its path as a label, and whose it is."""
    door = urlsplit(service.url).netloc
    found = [_target(door, "/metrics", "weyr")]
    planes = [name for name, plane in service.weyr.planes.items() if _sort_of(name) and plane.is_wanted]
    found += [_plane_target(service, name) for name in planes]
    with service.weyr.lock:
        found += [_target(door, path, "weyr-replica", **labels) for path, labels in _replicas(service.weyr.world)]
    if _listens(DCGM_PORT):
        found.append(_target(f"127.0.0.1:{DCGM_PORT}", "/metrics", "dcgm"))
    return found


def _plane_target(service: Service, name: str) -> dict[str, Any]:
    """A process of the inference plane is asked at the plane's own port, which needs no server."""
    sort = _sort_of(name)
    if sort == "inference" and (port := ports_of(service.weyr.home, is_serving=False)[sort]):
        return _target(f"127.0.0.1:{port}", f"/-/metrics/{name}", f"weyr-{sort}", plane=name)
    return _target(urlsplit(service.url).netloc, f"/v1/metrics/planes/{name}", f"weyr-{sort}", plane=name)


def plane_metrics(service: Service, plane: str) -> bytes:
    """What a plane says. Raises: NotFound, Conflict where it does not answer."""
    if plane not in service.weyr.planes or not _sort_of(plane):
        raise NotFound(f"There is no plane {plane} that tells metrics; inference and functions do.")
    return fetched(str(service.weyr.home.sockets / f"{plane}.sock"), "/metrics")


def replica_metrics(service: Service, stack: str, endpoint: str, replica: str) -> bytes:
    """What a replica says. Raises: NotFound, Conflict where it does not answer."""
    with service.weyr.lock:
        found = {
            (ref.stack, ref.name, thing.id.part): thing
            for ref, things in service.weyr.world.things.items()
            if ref.kind == "endpoint"
            for thing in things.values()
        }
        thing = found.get((stack, endpoint, replica))
        path, port = ENGINE_METRICS.get(_engine_of(service.weyr.world, thing) if thing else "", ("/metrics", 1))
        address = _address(thing, port) if thing else ""
    if not address:
        raise NotFound(f"There is no replica {replica} of {stack}/{endpoint} that runs.")
    return fetched(address, path)


def fetched(address: str, path: str) -> bytes:
    """The text at a socket's path or host:port. Raises: Conflict, with what was wrong."""
    connection = Connection(address, TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Accept": "text/plain"})
        answer = connection.getresponse()
        text = answer.read(BYTES_MAX)
    except (OSError, http.client.HTTPException) as e:
        raise Conflict(f"It does not answer: {str(e) or type(e).__name__}.") from e
    finally:
        connection.close()
    if answer.status != 200:
        raise Conflict(f"It answers {path} with status {answer.status}: it tells no metrics.")
    return text


def _replicas(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    for ref, things in sorted(world.things.items()):
        if ref.kind != "endpoint":
            continue
        versions = versions_of(things)
        for part, thing in sorted(things.items()):
            if _address(thing):
                labels = {"endpoint": f"{ref.stack}/{ref.name}", "replica": part, "version": versions.get(part, "")}
                yield f"/v1/metrics/replicas/{ref.stack}/{ref.name}/{part}", labels


def _address(thing: ThingRow, port: int = 1) -> str:
    """Where a replica listens that runs: at its port of this number, or at its socket; "" where it does not."""
    match thing.seen, thing.body:
        case Present(facts=TaskFacts(state=TaskState.RUNNING) as facts), TaskBody():
            return f"127.0.0.1:{facts.ports[port - 1]}" if len(facts.ports) >= port else facts.address
        case _:
            return ""


def _engine_of(world: World, thing: ThingRow) -> str:
    row = world.objects.get(thing.id.ref)
    return str(json.loads(row.spec).get("engine") or "") if row and row.spec else ""


def _target(address: str, path: str, job: str, **labels: str) -> dict[str, Any]:
    return {"targets": [address], "labels": {"__metrics_path__": path, "job": job, **labels}}


def _sort_of(plane: str) -> str:
    """What a plane is that tells metrics, "" for any other; several processes of one sort share its door."""
    sort = plane.partition("-")[0]
    return sort if sort in ("inference", "functions") else ""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0

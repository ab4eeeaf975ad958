"""Whose memory a device's is: the row that joins a replica and its version to what NVML or DCGM say of the device."""

from weyr.core.capability import Capability, TaskBody
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody, RouteVersion
from weyr.core.seen import Present, Seen, TaskFacts, TaskState, Unknown
from weyr.reconcile.world import World
from weyr.server.metrics import devices_of_replicas
from weyr.store.kernel import ThingRow

BODY = TaskBody(("serve",), "/")


def running(*devices: str) -> Seen:
    return Present(TaskFacts(TaskState.RUNNING, devices=devices))


def test_each_device_of_a_replica_has_a_row_and_a_replica_without_one_has_none() -> None:
    """A picture of memory by version needs no list of which replica got which card; without any it stays empty."""
    world = World()
    route = RouteBody(
        "s/e", tuple(RouteVersion(v, "m", replicas=((part, "/x"),)) for v, part in (("7", "1"), ("8", "2")))
    )
    for part, capability, body, seen in (
        ("route", Capability.TRAFFIC, route, Unknown("silent")),
        ("1", Capability.TASKS, BODY, running("GPU-1", "GPU-2")),
        ("2", Capability.TASKS, BODY, running()),
    ):
        world.put_thing(ThingRow(ThingId.parse(f"s:endpoint/e#{part}"), capability, 1, body, seen))

    rows = [sample.labels for sample in devices_of_replicas(world).samples]
    assert rows == [
        {"device": device, "endpoint": "s/e", "version": "7", "replica": "1"} for device in ("GPU-1", "GPU-2")
    ]

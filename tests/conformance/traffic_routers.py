"""The traffic routers under trial: the real inference plane, and the simulated one."""

import http.client
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from inference_plane import TOKEN, Plane, Process, echo_replica, short_folder
from loopback import free_port
from services import SIM_LUCK, PlaneService, SimService

from weyr.core.capability import Wanted
from weyr.core.ref import ThingId
from weyr.core.routes import RouteBody, RouteVersion
from weyr.sim.services import SimRoutes


class TrafficRouter(PlaneService):
    kind = "endpoint"
    part = "route"

    def want(self, id: ThingId, generation: int = 1, replicas: Sequence[str] = ("1",)) -> Wanted:
        pairs = tuple((replica, self.address(replica)) for replica in replicas)
        return Wanted(id, generation, RouteBody(self.name(id), (RouteVersion("1", "digits", replicas=pairs),)))

    @staticmethod
    def name(id: ThingId) -> str:
        return f"{id.ref.stack}/{id.ref.name}"

    @abstractmethod
    def address(self, replica: str) -> str:
        """Where a replica listens, or will."""


class LocalTrafficRouter(TrafficRouter):
    def __init__(self) -> None:
        self._held = ExitStack()
        self.home = self._held.enter_context(short_folder())
        self._port = free_port()
        self.come_back()

    def address(self, replica: str) -> str:
        return str(self.home / f"{replica}.sock")

    def start_replica(self, name: str) -> Process:
        """A replica that answers with its name."""
        return self._held.enter_context(echo_replica(self.home / f"{name}.sock", name))

    def hold_a_request(self, route: str) -> Callable[[], int]:
        """Begins a request; what is given waits for the status of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.plane.port, timeout=60)
        self._held.callback(connection.close)
        connection.request("GET", f"/{route}/v2", headers={"Authorization": f"Bearer {TOKEN}"})
        return lambda: connection.getresponse().status

    def go_down(self) -> None:
        self.plane.stop()
        self.plane.info.unlink(missing_ok=True)

    def come_back(self) -> None:
        self.plane = Plane(self.home, "--port", str(self._port))
        self._port = self.plane.port  # it keeps its place, as in a data folder
        self.provider = self.plane.router

    def close(self) -> None:
        self.plane.kill()
        self._held.close()


class SimTrafficRouter(SimService[SimRoutes], TrafficRouter):
    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.routes, **luck)  # type: ignore[arg-type]

    def address(self, replica: str) -> str:
        return f"/sim/{replica}.sock"


TRAFFIC_ROUTERS: Mapping[str, Callable[[], TrafficRouter]] = {
    "local": LocalTrafficRouter,
    **{name: partial(SimTrafficRouter, **luck) for name, luck in SIM_LUCK.items()},
}

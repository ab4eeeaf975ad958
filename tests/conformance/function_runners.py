"""The function runners under trial: the real functions plane, and the simulated one."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from inference_plane import Process, short_folder, until
from services import SIM_LUCK, PlaneService, SimService

from weyr.core.capability import FunctionBody, Wanted
from weyr.core.ref import ThingId
from weyr.engines.local.functions import LocalFunctions
from weyr.sim.functions import SimFunctions


class FunctionRunner(PlaneService):
    kind = "function"
    part = "plane"

    def want(self, id: ThingId, generation: int = 1) -> Wanted:
        return Wanted(id, generation, FunctionBody(f"{id.ref.stack}/{id.ref.name}"))


class LocalFunctionRunner(FunctionRunner):
    def __init__(self) -> None:
        self._held = ExitStack()
        self.home = self._held.enter_context(short_folder())
        self.provider = LocalFunctions(self.home / "functions.json", self.home)
        self.come_back()

    def go_down(self) -> None:
        self.plane.stop()

    def come_back(self) -> None:
        info = self.home / "info.json"
        paths = {"functions": "functions.json", "events": "events.db", "doorbell": "bell.sock"}
        paths |= {"control": "functions.sock", "info": info.name}
        options = [word for name, path in paths.items() for word in (f"--{name}", str(self.home / path))]
        self.plane = Process("-m", "weyr.gateway.functions", *options, "--grace", "1")
        until(info.exists, "the functions plane to listen")

    def close(self) -> None:
        self.plane.kill()
        self._held.close()


class SimFunctionRunner(SimService[SimFunctions], FunctionRunner):
    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.functions, **luck)  # type: ignore[arg-type]


FUNCTION_RUNNERS: Mapping[str, Callable[[], FunctionRunner]] = {
    "local": LocalFunctionRunner,
    **{name: partial(SimFunctionRunner, **luck) for name, luck in SIM_LUCK.items()},
}

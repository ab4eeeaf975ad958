"""The model registries under trial: the tracking service on its own database, and the simulated one."""

import itertools
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from services import SIM_LUCK, Service, SimService

from weyr.core.capability import ModelBody, Wanted
from weyr.core.ref import ThingId
from weyr.engines.local.registry import LocalRegistry
from weyr.sim.services import SimModels
from weyr.store.database import Database
from weyr.store.migrate import migrate
from weyr.tracking.service import Tracking

NOW = 1_000_000_000.0


class ModelRegistry(Service):
    kind = "model"

    def want(self, id: ThingId, generation: int = 1, **aliases: int) -> Wanted:
        return Wanted(id, generation, ModelBody(self.name(id), tuple(aliases.items())))

    @staticmethod
    def name(id: ThingId) -> str:
        return f"{id.ref.stack}-{id.ref.name}"

    @abstractmethod
    def add_version(self, model: str) -> int:
        """A job adds a version."""


class LocalModelRegistry(ModelRegistry):
    """The service keeps nothing but its database, so a restart is a new one on the same file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="weyr-")
        self._ids = itertools.count()
        self._open()

    def _open(self) -> None:
        self._database = Database(Path(self._folder.name) / "store.db")
        migrate(self._database)
        self.tracking = Tracking(self._database, lambda: NOW, lambda: f"{next(self._ids):032x}")
        self.provider = LocalRegistry(self.tracking)

    def add_version(self, model: str) -> int:
        return self.tracking.versions.create(model, "s3://lake/model", "", "", "", "", (), "").version

    def restart(self) -> None:
        self._database.close()
        self._open()

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()


class SimModelRegistry(SimService[SimModels], ModelRegistry):
    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.models, **luck)  # type: ignore[arg-type]

    def add_version(self, model: str) -> int:
        return self.provider.register(model, "s3://lake/model", {})


MODEL_REGISTRIES: Mapping[str, Callable[[], ModelRegistry]] = {
    "local": LocalModelRegistry,
    **{name: partial(SimModelRegistry, **luck) for name, luck in SIM_LUCK.items()},
}

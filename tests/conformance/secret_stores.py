"""The secret stores under trial: sealed values in a database, and the simulated ones."""

import os
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from services import SIM_LUCK, Service, SimService

from weyr.access.envelope import envelope_of
from weyr.access.secrets import Secrets
from weyr.core.capability import SecretBody, Wanted
from weyr.core.ref import ThingId
from weyr.engines.local.secrets import LocalSecrets
from weyr.sim.services import SimSecrets
from weyr.store.database import Database
from weyr.store.migrate import migrate


class SecretStore(Service):
    kind = "secret"

    def want(self, id: ThingId, generation: int = 1, generate: int = 24) -> Wanted:
        return Wanted(id, generation, SecretBody(generate))

    @abstractmethod
    def put(self, id: ThingId) -> None:
        """Somebody sets a value, unlike any before."""


class LocalSecretStore(SecretStore):
    """The vault keeps nothing but its data folder, so a restart is a new one on the same."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="weyr-")
        self._open()

    def _open(self) -> None:
        home = Path(self._folder.name)
        self._database = Database(home / "store.db")
        migrate(self._database)
        self.vault = Secrets(self._database, envelope_of(self._database, home, os.urandom))
        self.provider = LocalSecrets(self.vault, os.urandom)

    def put(self, id: ThingId) -> None:
        self.vault.set(id.ref.stack, id.ref.name, os.urandom(8).hex().encode())

    def restart(self) -> None:
        self._database.close()
        self._open()

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()


class SimSecretStore(SimService[SimSecrets], SecretStore):
    def __init__(self, **luck: float) -> None:
        super().__init__(lambda engine: engine.secrets, **luck)  # type: ignore[arg-type]

    def put(self, id: ThingId) -> None:
        self.provider.put(id)


SECRET_STORES: Mapping[str, Callable[[], SecretStore]] = {
    "local": LocalSecretStore,
    **{name: partial(SimSecretStore, **luck) for name, luck in SIM_LUCK.items()},
}

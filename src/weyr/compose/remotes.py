"""How is an engine opened that is not this machine? By its key, once a task is to run there or is known to.

Each has a folder in the data folder, named after its key, which holds the folders of its tasks.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from weyr.attempt.tasks import Tasks
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.engine import On
from weyr.reconcile.world import World

Opener = Callable[[Path, Callable[[], On]], Tasks]
"""Opens an engine. Takes its folder and who gives its settings, which may change while it is open. Raises: UserError
where something is missing that it needs."""


class Remotes:
    """The engines beside this machine. Takes how each is opened, by its name; their folder; and what stacks say."""

    def __init__(self, openers: Mapping[str, Opener], folder: Path, world: World) -> None:
        self._openers, self._folder, self._world = openers, folder, world

    def known(self) -> dict[str, Tasks]:
        """Those that were told of a task before."""
        return {key: self.opened(key) for key in self._kept()}

    def opened(self, key: str) -> Tasks:
        """Raises: UserError."""
        opener = self._openers.get(key.partition("@")[0])
        if opener is None:
            detail = f"There is no engine {key!r}; there are local and {', '.join(sorted(self._openers))}."
            raise UserError(Diagnostic("Unknown engine", detail))
        return opener(self._folder / quote(key, safe="@"), lambda: self._settings(key))

    def key_of(self, stack: str, engine: str) -> str:
        """The key of the engine of this name, as a stack means it."""
        row = self._world.stacks.get(stack)
        on = On.from_json(row.on_json) if row else On()
        return on.key if on.engine == engine else engine

    def _kept(self) -> list[str]:
        try:
            return sorted(unquote(path.name) for path in self._folder.iterdir())
        except FileNotFoundError:
            return []

    def _settings(self, key: str) -> On:
        """What the stack says of it that was applied last; its key alone where none does any more."""
        rows = sorted(self._world.stacks.values(), key=lambda row: row.applied_at, reverse=True)
        said = (On.from_json(row.on_json) for row in rows)
        name, _, address = key.partition("@")
        return next((on for on in said if on.key == key), On(name, {"address": address} if address else {}))

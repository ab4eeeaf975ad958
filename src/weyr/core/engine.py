"""Where can a stack's tasks run? One descriptor per engine: its settings, and what it cannot do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from weyr.core.capability import TaskBody
from weyr.core.powers import PLACED, WRAPPED
from weyr.core.schema import SpecPart

LOCAL = "local"


class NoSettings(SpecPart):
    """An engine that needs to be told nothing."""


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine that a stack may name under `on:`.

    `settings` is what may be said of it there; one called `address` tells one cluster from another. `powers` are what
    it can do for a task, as `weyr.core.powers` has them: a plan that asks for any other is refused. `lacks` says why,
    in a sentence for each power that it is worth saying of. `needs` are fields that it can honour only where a setting
    is given, each with that setting's name.
    """

    name: str
    summary: str
    powers: frozenset[str]
    settings: type[SpecPart] = NoSettings
    lacks: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


Engines = Mapping[str, EngineKind]

LOCAL_POWERS = frozenset(
    {
        *(*WRAPPED, *PLACED, "image", "python", "labels", "bears", "node", "devices", "probe", "ports"),
        *("accelerators.count", "accelerators.model", "accelerators.profile"),
        *("accelerators.share_milli", "accelerators.memory_bytes"),
    }
)
LOCAL_ENGINE = EngineKind(LOCAL, "This machine.", LOCAL_POWERS)
ONLY_LOCAL: Engines = {LOCAL: LOCAL_ENGINE}


@dataclass(frozen=True, slots=True)
class On:
    """The engine that a stack's tasks run on. `settings` are those that were written, as plain values."""

    engine: str = LOCAL
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its name in `TaskBody.engine`: `ray@10.0.0.7:6379`, "" for this machine. Two clusters are two engines."""
        if self.engine == LOCAL:
            return ""
        address = self.settings.get("address")
        return f"{self.engine}@{address}" if address else self.engine

    @property
    def text(self) -> str:
        """As it is shown: `ray`, `ray (address: 10.0.0.7:6379)`."""
        said = ", ".join(f"{name}: {value}" for name, value in sorted(self.settings.items()))
        return f"{self.engine} ({said})" if said else self.engine

    def to_json(self) -> str:
        return json.dumps({"engine": self.engine, "settings": self.settings}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "On":
        plain = json.loads(text) if text else {}
        return cls(plain.get("engine", LOCAL), plain.get("settings", {}))


HERE = On()


def sent(body: TaskBody, on: On) -> TaskBody:
    """The task with the engine of its stack, if nobody chose another. A pool says which engine its nodes are of; and
    what answers requests stays on the server's machine, beside the plane that takes them."""
    if body.engine or body.pool or body.probe or body.ports:
        return body
    return replace(body, engine=on.key)

"""What is one call of the protocol? A method, a path, the permission it needs, and a plain function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weyr.core.grants import Principal
from weyr.server.mlflow.fields import Fields
from weyr.tracking.service import Tracking

READ = "tracking:read"
WRITE = "tracking:write"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has passed the permission check. `path` are the parts of the URL that vary.

    `check_grant` is for calls that need a permission besides: (principal, action, resource), raises.
    `seal_of` says what the files at a URI are now, "" where they are in no bucket of ours; it lists them, and raises
    TrackingError where the object store is silent.
    """

    tracking: Tracking
    principal: Principal
    fields: Fields
    path: Mapping[str, str]
    check_grant: Callable[[Principal, str, str], None]
    seal_of: Callable[[str], str]

    @property
    def task(self) -> str:
        """Who calls, when it is a task; empty text for a person."""
        return self.principal.name if self.principal.name.startswith("task:") else ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Takes `path` below `/mlflow`; a part in braces varies. `lists` are query fields that repeat."""

    methods: tuple[str, ...]
    path: str
    action: str
    answer: Callable[[Call], Json]
    lists: tuple[str, ...] = ()

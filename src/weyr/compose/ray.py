"""How is a Ray cluster opened? Light: what talks to it is a process of its own, begun when the first task is to run."""

from collections.abc import Callable, Mapping
from pathlib import Path

from weyr.access.identities import Access
from weyr.access.secrets import Secrets
from weyr.attempt.tasks import Tasks
from weyr.compose.remotes import Opener
from weyr.core.engine import On
from weyr.engines.ray.host import RayHost
from weyr.engines.ray.settings import RaySettings
from weyr.store.home import Home


def ray_opener(
    home: Home,
    access: Access,
    secrets: Secrets,
    surroundings: Callable[[], Mapping[str, str]],
    now: Callable[[], float],
) -> Opener:
    """Opens clusters for one data folder."""
    events = home.sockets / "doorbell.sock"

    def opened(folder: Path, settings: Callable[[], On]) -> Tasks:
        host = RayHost(
            folder / "tasks",
            home.sockets,
            namespace=f"weyr-{home.identity()}",
            settings=lambda: RaySettings.model_validate(settings().settings),
            surroundings=surroundings,
            events=events,
        )
        return Tasks(folder / "tasks", host, home.sockets, home.cache, access, secrets, now, events, host.site)

    return opened

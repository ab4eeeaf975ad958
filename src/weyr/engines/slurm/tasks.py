"""The TASKS capability of a Slurm cluster."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from weyr.attempt import task_folder
from weyr.attempt.orders import CredentialIssuer, SecretReader
from weyr.attempt.tasks import Tasks
from weyr.engines.slurm.commands import Slurm
from weyr.engines.slurm.host import SlurmHost
from weyr.engines.slurm.settings import SlurmSettings


class SlurmTasks(Tasks):
    """A Provider. Takes `folder`, which every node has at this path; the site's `settings`, which are asked for anew
    each time; and what `weyr.attempt.tasks.Tasks` takes. `env` has what Slurm's commands need beside the server's PATH.
    """

    def __init__(
        self,
        folder: Path,
        settings: Callable[[], SlurmSettings],
        sockets: Path,
        cache: Path,
        credentials: CredentialIssuer,
        secrets: SecretReader,
        surroundings: Callable[[], Mapping[str, str]],
        now: Callable[[], float],
        events: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        python = settings().python or sys.executable
        ring = str(events) if events else ""
        self.host = SlurmHost(
            Slurm(env),
            folder / "submissions",
            settings,
            python,
            surroundings,
            now,
            lambda: task_folder.tell(ring, "", "looked"),
        )
        super().__init__(folder / "tasks", self.host, sockets, cache, credentials, secrets, now, events)

    def close(self) -> None:
        """Ends what runs beside the loop; the cluster goes on."""
        self.host.close()

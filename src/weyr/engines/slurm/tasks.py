"""The TASKS capability of a Slurm cluster."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from weyr.attempt import task_folder
from weyr.attempt.cluster_nodes import ClusterNodes
from weyr.attempt.orders import CredentialIssuer, SecretReader
from weyr.attempt.tasks import Tasks
from weyr.core.ref import ThingId
from weyr.core.seen import Present, Seen, TaskFacts
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
        self._ring = str(events) if events else ""
        self.host = SlurmHost(
            Slurm(env),
            folder / "submissions",
            settings,
            python,
            surroundings,
            now,
            self._tell,
            self._tell_pools,
            lambda node: self._site.name_of(node),
        )
        self._site = ClusterNodes(folder / "nodes.json", self.host.nodes, now)
        super().__init__(
            folder / "tasks", self.host, sockets, cache, credentials, secrets, now, events, nodes=self._site
        )
        self.host.begin()

    def _tell(self) -> None:
        """Something of a job changed: every object that has a task here is looked at again."""
        first = {id.ref: id for id in self.claimed() if id not in self._ended}
        for id in first.values():
            task_folder.tell(self._ring, str(id), "looked")

    def _tell_pools(self) -> None:
        for id in self._site.pools():
            task_folder.tell(self._ring, str(id), "looked")

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        """As `Provider.observe`, with what Slurm says of a task's place: why it waits, and where it runs."""
        return {id: self._with_place(id, found) for id, found in super().observe(ids).items()}

    def _with_place(self, id: ThingId, found: Seen) -> Seen:
        if not isinstance(found, Present) or not isinstance(found.facts, TaskFacts) or found.facts.end:
            return found
        waits, node = self.host.place_of(self._of(id))
        return replace(found, facts=replace(found.facts, waits=waits, node=found.facts.node or node))

    def close(self) -> None:
        """Ends what runs beside the loop; the cluster goes on."""
        self.host.close()

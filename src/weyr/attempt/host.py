"""Where do attempts run? What a task engine must be able to do, beside keeping their folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from weyr.attempt.task_folder import Order
from weyr.core.capability import TaskBody
from weyr.core.ref import ThingId
from weyr.core.seen import Seen

Serving = Mapping[str, tuple[str, str]]
"""Tasks that answer requests: id → the socket and the path that says whether they are ready."""


class Host(Protocol):
    """A machine or a cluster that runs attempts. `weyr.attempt.tasks.Tasks` asks it, and makes it a Provider.

    An attempt has a folder here, on the server's machine, whoever runs it: its claim, its log, its end. A host that is
    elsewhere brings state, log and end into that folder as they come, the end durably and last of all.
    None of these waits for a task.
    """

    @property
    def python(self) -> str:
        """The interpreter that has Weyr, where attempts run."""
        ...

    @property
    def address(self) -> str:
        """At which members of a gang reach one another, if all run on one machine; else "": who starts them knows."""
        ...

    @property
    def lease_s(self) -> float:
        """How long an attempt runs on that nobody can reach, 0 for ever: after that it is proved to be over."""
        ...

    @property
    def powers(self) -> frozenset[str]:
        """What it can do for a task, as `weyr.core.powers` has it; what asks for any other is refused."""
        ...

    def refusal(self, body: TaskBody) -> str:
        """Why this cannot be run here at all, in a sentence; "" where it can."""
        ...

    def has_node(self, name: str) -> bool:
        """Whether a node that the scheduler chose is there: nothing begins on one that is gone."""
        ...

    def folder_of(self, folder: Path) -> str:
        """The attempt's folder where it runs: what its program sees."""
        ...

    def surroundings(self) -> Mapping[str, str]:
        """What every task's environment holds here, such as the addresses of the doors."""
        ...

    def start(self, orders: Sequence[Order]) -> list[str]:
        """Starts each at most once, whoever asks and however often; all members of a gang are among `orders`.

        Gives for each "" or "already", or why it cannot be known that it started. An attempt that can never start gets
        an end. Claims the start with `task_folder.begin` before anything is done. Raises: EngineSilent.
        """
        ...

    def wake(self, id: ThingId, folder: Path) -> None:
        """Says that there is a new request in the folder (STOP, RECLAIM). Said again until the task has ended; one that
        cannot be told just now is no error."""
        ...

    def end_of_silent(self, id: ThingId, folder: Path, claim: Mapping[str, Any]) -> dict[str, Any] | None:
        """Of an attempt that was begun and has no recorded end: the end, recorded by now, where it is proved to be
        over; None where it is known to go on. Raises: OSError where neither is known."""
        ...

    def absence(self, id: ThingId, folder: Path) -> Seen:
        """Of an attempt without a claim: Absent only where it is proved that nothing of it runs. Raises: OSError."""
        ...

    def remove(self, id: ThingId, folder: Path) -> None:
        """Clears away what an ended attempt left outside its folder. Raises: OSError; said again then."""
        ...

    def strangers(self) -> Sequence[ThingId]:
        """Attempts of ours that run there and may have no folder here. Raises: EngineSilent."""
        ...

    def release_stranger(self, id: ThingId) -> None:
        """Begins to end what runs of an attempt that has no folder here. Raises: OSError."""
        ...

    def ready(self, serving: Serving) -> set[str]:
        """Which of these answer that they are ready."""
        ...

"""How is a failed check told? With its name, the command that plays its world again, and the story of the object."""

from collections.abc import Iterable
from dataclasses import dataclass

from weyr.sim.snapshot import Breach
from weyr.store.kernel import EventRow

EPOCH = 1_000_000_000.0
"""When a virtual clock begins; a story counts from there."""

LINES_MAX = 60


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that befell a world, and when: a kill, a power cut, a full disk."""

    at: float
    what: str


class Broken(AssertionError):
    """A check that failed: its name, the seed, the command that plays it again, the story of the object."""

    def __init__(self, name: str, seed: int, breach: Breach, replay: str, story: str) -> None:
        self.name, self.seed, self.breach = name, seed, breach
        super().__init__(f"{name}: {breach.ref}: {breach.what}\nseed {seed}; play it again: {replay}\n{story}")


def told(events: Iterable[EventRow], incidents: Iterable[Incident]) -> list[str]:
    """What happened to objects, and what befell the world meanwhile, in the order of time, a line each."""
    lines = [(event.at, f"{event.ref:18}  {event.event:18}  {event.message}") for event in events]
    lines += [(incident.at, f"{'':18}  {incident.what}") for incident in incidents]
    return [f"{at - EPOCH:9.2f}  {line}".rstrip() for at, line in sorted(lines, key=lambda line: line[0])]

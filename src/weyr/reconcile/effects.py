"""How are engines asked and told? In batches; whatever goes wrong is an answer too: nothing is known."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from weyr.core.capability import Answers, Capability, Provider, Refused, Wanted
from weyr.core.diagnostic import EngineError, EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Seen, Unknown
from weyr.reconcile.ports import Log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told:
    """How one thing's engine answered. `is_accepted` False and no refusal: nobody knows; ask again."""

    is_accepted: bool
    refusal: str = ""


@dataclass(slots=True)
class Effects:
    """The engines behind the capabilities."""

    providers: Mapping[Capability, Provider]
    log: Log
    rung: Callable[[], Mapping[Ref, float]] = dict
    """Whose objects are to be looked at though nobody asked, and when (Unix seconds): what the scheduler did."""
    _silent: dict[tuple[Capability, str], int] = field(default_factory=dict)
    """How often each engine's verb has failed in a row: its silence is logged when it begins and when it ends."""

    def observe(self, things: Iterable[tuple[Capability, ThingId]]) -> dict[ThingId, Seen]:
        """What is there of these; `Unknown` for all that could not be asked."""
        found: dict[ThingId, Seen] = {}
        for capability, ids in _grouped(things).items():
            answer = self._ask(capability, "observe", self._provider(capability).observe, ids)
            seen = {} if isinstance(answer, Unknown) else answer
            missing = answer if isinstance(answer, Unknown) else Unknown("the engine did not mention it")
            found |= {id: seen.get(id, missing) for id in ids}
        return found

    def ensure(self, wanted: Iterable[tuple[Capability, Wanted]]) -> dict[ThingId, Told]:
        """Tells what to make so. A lost reply leaves the intent standing: it is said again under its key."""
        told: dict[ThingId, Told] = {}
        for capability, batch in _grouped(wanted).items():
            answer = self._ask(capability, "ensure", self._provider(capability).ensure, batch)
            told |= {want.id: _told(answer, want.id) for want in batch}
        return told

    def release(self, things: Iterable[tuple[Capability, ThingId]]) -> dict[ThingId, Told]:
        """Tells what to remove; acceptance is no proof of absence."""
        told: dict[ThingId, Told] = {}
        for capability, ids in _grouped(things).items():
            answer = self._ask(capability, "release", self._provider(capability).release, ids)
            told |= {id: _told(answer, id) for id in ids}
        return told

    def inventory(self) -> dict[Capability, Sequence[ThingId]]:
        """Everything that exists, by capability; engines that cannot tell are left out."""
        answers = {name: self._ask(name, "inventory", engine.inventory) for name, engine in self.providers.items()}
        return {name: answer for name, answer in answers.items() if not isinstance(answer, Unknown)}

    def _provider(self, capability: Capability) -> Provider:
        return self.providers.get(capability) or _Nobody(capability)

    def _ask(self, capability: Capability, verb: str, ask: Callable[..., T], *batch: object) -> T | Unknown:
        try:
            answer = ask(*batch)
        except Exception as e:  # noqa: BLE001 - a broken engine must not stop the loop for the others
            event = "engine.silent" if isinstance(e, EngineError) else "engine.broken"
            failures = self._silent[capability, verb] = self._silent.get((capability, verb), 0) + 1
            if failures == 1:
                self.log(event, capability=capability.value, verb=verb, error=repr(e))
            return Unknown(f"{capability.value} did not answer: {e}")
        failures = self._silent.pop((capability, verb), 0)
        if failures:
            self.log("engine.answers_again", capability=capability.value, verb=verb, failures=failures)
        return answer


@dataclass(slots=True)
class _Nobody:
    """Who answers for a capability that no engine here has: nothing is known of its things."""

    capability: Capability

    def observe(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Seen]:
        raise EngineSilent(f"no engine here is a {self.capability.value}")

    def ensure(self, wanted: Sequence[Wanted]) -> Mapping[ThingId, Refused]:
        raise EngineSilent(f"no engine here is a {self.capability.value}")

    def release(self, ids: Sequence[ThingId]) -> Mapping[ThingId, Refused]:
        raise EngineSilent(f"no engine here is a {self.capability.value}")

    def inventory(self) -> Sequence[ThingId]:
        raise EngineSilent(f"no engine here is a {self.capability.value}")


def _told(answer: Answers | Unknown, id: ThingId) -> Told:
    match answer if isinstance(answer, Unknown) else answer.get(id):
        case None:
            return Told(True)
        case Refused(reason=reason):
            return Told(False, reason)
        case Unknown():
            return Told(False)


def _grouped(pairs: Iterable[tuple[Capability, T]]) -> dict[Capability, list[T]]:
    groups: dict[Capability, list[T]] = defaultdict(list)
    for capability, item in pairs:
        groups[capability].append(item)
    return groups

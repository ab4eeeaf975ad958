"""Which engine has which task: several engines behind one provider."""

from collections.abc import Callable, Iterator, Sequence

from weyr.core.capability import Refused, TaskBody, Wanted
from weyr.core.diagnostic import Diagnostic, EngineSilent, UserError
from weyr.core.engine import On, sent
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Present, Unknown
from weyr.reconcile.engines import Engines, TaskEngine
from weyr.sim import Script, SimEngine, VirtualClock
from weyr.sim.faults import FaultRates
from weyr.sim.tasks import SimTasks

HERE = ThingId(Ref("s", "job", "here"), "1")
THERE = ThingId(Ref("s", "job", "there"), "1")


class Shelved:
    """A simulated engine that keeps a list of what it was told of, as one with folders does; it can be cut off."""

    def __init__(self) -> None:
        self.tasks: SimTasks = SimEngine(VirtualClock(), 0, FaultRates(), lambda _: Script()).tasks
        self.capability = self.tasks.capability
        self.kept: list[ThingId] = []
        self.is_silent = False

    def _reached(self) -> SimTasks:
        if self.is_silent:
            raise EngineSilent("nobody answers")
        return self.tasks

    def observe(self, ids: Sequence[ThingId]) -> object:
        return self._reached().observe(ids)

    def ensure(self, wanted: Sequence[Wanted]) -> object:
        self.kept += [want.id for want in wanted]
        return self._reached().ensure(wanted)

    def release(self, ids: Sequence[ThingId]) -> object:
        return self._reached().release(ids)

    def inventory(self) -> object:
        return self._reached().inventory()

    def claimed(self) -> Sequence[ThingId]:
        return list(self.kept)

    def tasks_of(self, ref: Ref) -> list[ThingId]:
        return [id for id in self.kept if id.ref == ref]

    def reclaim(self, id: ThingId, notice_s: float) -> bool:
        return False

    def logs(self, id: ThingId, follow: bool = False, tail: int | None = None) -> Iterator[bytes]:
        raise FileNotFoundError(id)


def wanted(id: ThingId, engine: str = "") -> Wanted:
    return Wanted(id, 1, TaskBody(("true",), "/", engine=engine))


def world() -> tuple[Shelved, Shelved, Callable[[], Engines]]:
    here, there = Shelved(), Shelved()
    opened: dict[str, TaskEngine] = {"": here, "ray": there}  # type: ignore[dict-item]
    return here, there, lambda: Engines(opened, refuse)


def refuse(key: str) -> TaskEngine:
    raise UserError(Diagnostic("Unknown engine", f"There is no engine {key!r}."))


def test_a_task_goes_to_the_engine_of_its_stack() -> None:
    """`on: ray` is one line; everything else in the file stays as it is."""
    here, there, server = world()
    assert server().ensure([wanted(HERE), wanted(THERE, "ray")]) == {}
    assert (here.kept, there.kept) == ([HERE], [THERE])


def test_a_restarted_server_asks_the_engine_that_has_it() -> None:
    """A task is never proved absent by an engine that it was not on, nor begun on a second one."""
    here, _, server = world()
    server().ensure([wanted(THERE, "ray")])
    engines = server()
    assert isinstance(engines.observe([THERE])[THERE], Present)
    engines.ensure([wanted(THERE)])
    assert here.kept == []


def test_a_silent_engine_harms_only_its_own() -> None:
    """A cluster that cannot be reached must not stop what runs on this machine, nor count as empty."""
    _, there, server = world()
    engines = server()
    engines.ensure([wanted(HERE), wanted(THERE, "ray")])
    there.is_silent = True
    seen = engines.observe([HERE, THERE])
    assert isinstance(seen[HERE], Present)
    assert isinstance(seen[THERE], Unknown)
    assert isinstance(engines.ensure([wanted(THERE, "ray")])[THERE], Unknown)
    assert isinstance(engines.release([THERE])[THERE], Unknown)
    assert list(engines.inventory()) == [HERE]


def test_an_engine_that_is_not_there_refuses() -> None:
    """What is missing is named, on the object that wants it."""
    _, _, server = world()
    assert server().ensure([wanted(THERE, "ray@nowhere:1")])[THERE] == Refused("There is no engine 'ray@nowhere:1'.")


def test_what_answers_requests_stays_beside_the_plane() -> None:
    """The plane that takes an endpoint's requests is on this machine; a pool says itself where its nodes are."""
    ray = On("ray")
    assert sent(TaskBody(("true",), "/"), ray).engine == "ray"
    assert sent(TaskBody(("serve",), "/", probe="/ready"), ray).engine == ""
    assert sent(TaskBody(("true",), "/", pool="gpus"), ray).engine == ""
    assert sent(TaskBody(("true",), "/"), On()).engine == ""


def test_who_was_never_there_is_absent() -> None:
    """A task that no engine was ever told of is proved to be nowhere."""
    _, _, server = world()
    assert isinstance(server().observe([HERE])[HERE], Absent)

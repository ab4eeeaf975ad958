"""What may be relied on of every capability beside tasks, of every engine. One suite, all of them."""

from contextlib import suppress

from every_service import SERVICES
from services import PlaneService, Service

from weyr.core.capability import Capability, TaskBody, Wanted
from weyr.core.diagnostic import EngineSilent
from weyr.core.seen import Absent, Present, Seen, Unknown


def test_no_capability_is_left_out() -> None:
    """A new one is tried the moment it exists; tasks and nodes have suites of their own, and pools and queues are no
    engine's: the scheduler keeps them."""
    apart = {Capability.TASKS, Capability.NODES, Capability.POOLS, Capability.QUEUES}
    assert {*SERVICES, *apart} == set(Capability)


def test_what_was_never_wanted_is_absent_and_every_question_is_answered(service: Service) -> None:
    """The loop forgets on Absent, so it has to be an answer; a thing without an answer would be stuck."""
    here = service.make("here")
    asked = [service.id("gone"), here, service.id("nowhere")]
    seen = service.patiently(lambda: service.provider.observe(asked))
    assert set(seen) == set(asked)
    assert [type(seen[id]) for id in asked] == [Absent, Present, Absent]
    assert dict(service.patiently(lambda: service.provider.observe([]))) == {}


def test_the_same_wish_again_changes_nothing(service: Service) -> None:
    """A lost reply makes the loop say it again, for as long as the thing stands."""
    id = service.make(generation=3)
    first = service.observe(id)
    for _ in range(3):
        service.make(generation=3)
    assert service.observe(id) == first
    assert service.present(id).generation == 3
    assert service.inventory() == [id]


def test_a_newer_generation_is_taken_and_an_older_one_refused(service: Service) -> None:
    """A message that was late must not undo what was said after it, whoever was restarted in between."""
    id = service.make(generation=7)
    service.make(generation=8)
    before = service.observe(id)
    for _ in range(2):
        refused = service.ensure(service.want(id, 7))
        assert list(refused) == [id]
        assert "7" in refused[id].reason
        assert service.observe(id) == before
        service.restart()
    assert service.present(id).generation == 8


def test_what_is_released_is_absent_and_may_come_again(service: Service) -> None:
    """After `weyr down` nothing is left, and the next `weyr up` counts from one."""
    id = service.make(generation=5)
    for _ in range(2):
        assert service.release(id) == {}
        assert service.observe(id) == Absent()
        assert service.inventory() == []
    service.make(generation=1)
    assert service.present(id).generation == 1


def test_release_of_something_absent_harms_nobody(service: Service) -> None:
    """The orphan sweep and a repeated release meet things that are gone already."""
    here = service.make("here")
    before = service.observe(here)
    assert service.release(service.id("gone"), service.id("nowhere")) == {}
    assert service.release() == {}
    assert service.observe(here) == before


def test_everything_that_exists_is_listed_once(service: Service) -> None:
    """The orphan sweep finds what nobody remembers asking for, of any stack."""
    ids = sorted(service.id(name, stack) for name in ("one", "two") for stack in ("digits", "other"))
    assert service.inventory() == []
    assert service.ensure(*(service.want(id) for id in ids)) == {}
    assert service.inventory() == ids
    service.release(*ids[:2])
    assert service.inventory() == ids[2:]


def test_one_that_cannot_be_is_refused_and_the_others_go_on(service: Service) -> None:
    """One stack's mistake is no other stack's trouble."""
    wrong = Wanted(service.id("wrong"), 1, TaskBody(("true",), "/"))
    one, two = service.id("one"), service.id("two")
    refused = service.ensure(service.want(one), wrong, service.want(two))
    assert list(refused) == [wrong.id]
    assert "task" in refused[wrong.id].reason
    assert service.observe(wrong.id) == Absent()
    assert service.inventory() == [one, two]


def test_a_restart_of_ours_changes_nothing(service: Service) -> None:
    """What was accepted was accepted durably."""
    ids = [service.make("one", 3), service.make("two", 4)]
    before = [service.observe(id) for id in ids]
    service.restart()
    assert [service.observe(id) for id in ids] == before
    assert service.inventory() == ids


def test_silence_is_not_absence(plane_service: PlaneService) -> None:
    """A plane that is down proves nothing about what it holds: the meter runs on, and nothing is made twice."""
    id = plane_service.make()
    before = plane_service.observe(id)
    plane_service.go_down()
    seen: Seen = Unknown("it did not answer")
    with suppress(EngineSilent):
        seen = plane_service.provider.observe([id])[id]
    assert isinstance(seen, Unknown)
    with suppress(EngineSilent):
        assert id in plane_service.provider.inventory()
    plane_service.come_back()
    assert plane_service.observe(id) == before

"""What planes count of work is kept for rehearsals: once each, whoever restarts."""

from weyr.core.capability import Capability
from weyr.core.decision import Thing
from weyr.core.ref import Ref
from weyr.core.routes import VersionCounts
from weyr.core.seen import FunctionFacts, Present, RouteFacts
from weyr.core.work_times import class_of, told
from weyr.reconcile.work_learnt import FIRST_SAVE_S, KEPT, PREFIX, SAVE_S, WorkLearnt, read

WEB = Ref("demo", "endpoint", "web")


def counted(*took_s: float, version: str = "1") -> VersionCounts:
    classes = dict[int, int]()
    for each in took_s:
        classes[class_of(each)] = classes.get(class_of(each), 0) + 1
    return VersionCounts(version, worked=len(took_s), worked_s=sum(took_s), work_classes=told(classes))


def route(*versions: VersionCounts) -> dict[str, Thing]:
    return {"route": present(RouteFacts(versions=versions))}


def present(facts: RouteFacts | FunctionFacts) -> Thing:
    return Thing("route", Capability.TRAFFIC, 1, Present(facts))


def stored(learnt: WorkLearnt, now: float) -> dict[str, str]:
    return dict(learnt.unsaved(now))


def test_what_was_worked_on_is_counted_once() -> None:
    """Every look shows all since the plane's start; versions are counted apart and kept together."""
    learnt = WorkLearnt()
    for times in ((0.1,), (0.1, 0.1), (0.1, 0.1), (0.1, 0.1, 2.0)):
        learnt.hear(WEB, route(counted(*times), counted(0.5, version="2")), {})
    assert stored(learnt, 1.0) == {}, "the first is stored a little later"
    kept = read(stored(learnt, 1.0 + FIRST_SAVE_S)[f"{PREFIX}demo:endpoint/web"])
    assert kept is not None
    assert kept.classes == {class_of(0.1): 2, class_of(2.0): 1, class_of(0.5): 1}
    assert (kept.count, round(kept.sum_s, 6)) == (4, 2.7)


def test_a_plane_that_began_anew_and_a_server_that_did_count_on() -> None:
    """After a plane's restart its counts are smaller, and all new; after the server's what is shown is known."""
    learnt = WorkLearnt()
    counts: tuple[tuple[float, ...], ...] = ((0.1, 0.1, 0.1), (0.2,))
    for times in counts:
        learnt.hear(WEB, route(counted(*times)), {})
    learnt_at = dict(learnt.unsaved(0.5)) or stored(learnt, 0.5 + FIRST_SAVE_S)
    after = WorkLearnt()
    counts = ((0.2,), (0.2, 0.2))
    for times in counts:
        after.hear(WEB, route(counted(*times)), learnt_at)
    assert dict(after.unsaved(100.0)) == {}
    kept = read(stored(after, 100.0 + FIRST_SAVE_S)[f"{PREFIX}demo:endpoint/web"])
    assert kept is not None
    assert kept.classes == {class_of(0.1): 3, class_of(0.2): 2}
    assert round(kept.sum_s, 6) == 0.7


def test_a_function_is_heard_and_what_does_not_change_is_not_stored_again() -> None:
    """A thousand silent functions write nothing."""
    learnt, resize = WorkLearnt(), Ref("demo", "function", "resize")
    facts = FunctionFacts(worked=1, worked_s=0.3, work_classes=(class_of(0.3), 1))
    learnt.hear(resize, {"plane": present(facts)}, {})
    assert dict(learnt.unsaved(1.0)) == {}
    assert len(stored(learnt, 20.0)) == 1
    learnt.hear(resize, {"plane": present(facts)}, {})
    assert stored(learnt, 20.0 + SAVE_S) == {}
    assert len(stored(learnt, 20.0 + 7 * 3600)) == 1, "the store forgets what nobody puts for a day"


def test_what_is_long_past_fades() -> None:
    """A release that is ten times as fast is what a rehearsal takes, after some use."""
    learnt, counts = WorkLearnt(), {class_of(1.0): 4000}
    learnt.hear(WEB, route(VersionCounts("1", worked_s=4000.0, work_classes=told(counts))), {})
    for thousand in range(1, 31):
        counts[class_of(0.1)] = 1000 * thousand
        more = VersionCounts("1", worked_s=4000.0 + 100 * thousand, work_classes=told(counts))
        learnt.hear(WEB, route(more), {})
    assert dict(learnt.unsaved(1.0)) == {}
    kept = read(stored(learnt, 20.0)[f"{PREFIX}demo:endpoint/web"])
    assert kept is not None
    assert kept.count <= KEPT
    assert kept.sum_s / kept.count < 0.11

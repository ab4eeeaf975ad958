"""What should happen to a session next? Pure.

One task at a time. It ends by itself when it was idle, and begins again with the next plan; one that was taken away is
followed by another at once.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import replace

from weyr.core import replica_set
from weyr.core.assumptions import HOURS_A_MONTH, Assumed, Assumption, Past, awake_hours
from weyr.core.capability import Capability, TaskBody
from weyr.core.decision import Condition, ConditionType, Decision, Ensure, Need, Note, Phase, Release, View, Want
from weyr.core.kind import Estimate
from weyr.core.ref import Ref
from weyr.core.replica_set import Sight
from weyr.core.seen import EndReason, TaskEnd, Unknown
from weyr.core.task_spec import command_of, task_body
from weyr.core.task_usage import planned_quantities, task_meters
from weyr.core.units import money_text
from weyr.kinds.compute.dev.memory import DevMemory
from weyr.kinds.compute.dev.spec import DevSpec

WAKE = "wake"
AGAIN = "weyr up or weyr wake begins another"
HOURS_PER_MONTH = 160.0
"""A working month: a session that is used all day and ends each evening."""
JUPYTER = "exec jupyter lab --no-browser --allow-root --ip=127.0.0.1 --port=$PORT --ServerApp.port_retries=0"


def decide(want: Want[DevSpec], view: View[DevMemory]) -> Decision[DevMemory]:
    """Keeps one task for the session until that ends by itself."""
    memory = view.memory or DevMemory()
    if want.spec is None:
        return _remove(view, memory)
    key = key_of(want.spec)
    is_woken = view.order is not None and view.order.number > memory.order
    if want.generation > memory.generation or is_woken:
        held = replace(memory.held, crashes=0, retry_at=0.0, ended=0)
        memory = DevMemory(held, want.generation, order=view.order.number if view.order else memory.order)
    blocked = sorted(f"{ref} ({need.phase})" for ref, need in view.needs.items() if need.phase is not Phase.READY)
    if blocked and not memory.held.replicas:
        waiting = Condition(ConditionType.WAITING, True, "Needs", f"waits for {', '.join(blocked)}")
        return Decision((), (waiting,), memory=memory, again_s=5)
    sight = Sight(view.now, view.things, key, view.begins)
    memory, notes = _weighed(sight, _costing(view, memory))
    memory, closed = _closed(want, view, sight, memory)
    # A hold that stops nothing lets somebody's open session be.
    has_place = view.hold is None or (not view.hold.stops and bool(memory.held.replicas))
    desired = 1 if has_place and not memory.outcome else 0
    held = replica_set.let_go(sight, memory.held, desired, unavailable=1)
    staying = {replica.part for replica in held.replicas if not replica.is_leaving}
    if view.things.keys() <= staying:
        # Never two at once in one folder: the one before is gone, and not only told to go.
        held = replica_set.start(sight, held, desired, surge=0)
    memory = replace(memory, held=held)
    known = {replica.part: replica for replica in held.replicas}
    stops = tuple(Release(part) for part in view.things if part not in known or known[part].is_leaving)
    ensured = tuple(_ensure(want, view, part) for part, replica in known.items() if not replica.is_leaving)
    condition, port = _conclude(view, sight, memory)
    outputs = {"url": f"http://127.0.0.1:{port}/" if port else ""}
    again_s = 0.2 if stops or condition.reason == "Starting" else 5.0 if desired else None
    return Decision((*ensured, *stops), (condition,), outputs, memory, notes=(*notes, *closed), again_s=again_s)


def assumes(spec: DevSpec, past: Past) -> tuple[Assumption, ...]:
    """A working month, eight hours a working day, or as long as its calendar is open where that is less. Forgotten over
    nights and weekends it is awake all of that."""
    open_hours = spec.calendar.hours_per_month if spec.calendar else HOURS_A_MONTH
    return (awake_hours(min(HOURS_PER_MONTH, open_hours), past, open_hours),)


def estimate(spec: DevSpec, assumed: Assumed) -> tuple[Estimate, ...]:
    return tuple(Estimate(sku, quantity, assumed["hours"]) for sku, quantity in planned_quantities(spec))


def refuses(memory: DevMemory | None, verb: str) -> str:
    """Why an order cannot be carried out now, "" where it can."""
    if verb == WAKE and (memory is None or not memory.outcome):
        return "it has not ended"
    return ""


def key_of(spec: DevSpec) -> str:
    """Names what a session is started as; when it changes, another one takes its place."""
    plain = spec.model_dump(mode="json", exclude={"protect", "tags", "calendar"}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def session_body(ref: Ref, spec: DevSpec, needs: Mapping[Ref, Need], folder: str) -> TaskBody:
    """The session's keeper, with its program below it where it has one."""
    program = command_of(_jupyter(spec.idle_after)) if spec.jupyter else command_of(spec.run) if spec.run else ()
    words = shlex.join([f"--idle-after={spec.idle_after:g}", "--", *program])
    # Where Jupyter says how it is asked for its kernels: beside the session's socket, so nobody else reads its token.
    at = 'export JUPYTER_RUNTIME_DIR="$(dirname "$WEYR_SOCKET")/jupyter"; ' if spec.jupyter else ""
    command = f'{at}exec "$WEYR_PYTHON" -I -m weyr.runtime.session --socket "$WEYR_SOCKET" {words}'
    body = task_body(ref, spec, needs, folder, ("/bin/sh", "-c", command))
    return replace(body, probe="/", ports=(0,) if program else (), time_limit_s=spec.max_duration)


def _jupyter(idle_s: float) -> str:
    """A page that is only left open keeps no kernel, and JupyterLab ends when it has none for so long."""
    kernels = f"--MappingKernelManager.cull_idle_timeout={idle_s:.0f} --MappingKernelManager.cull_connected=True"
    looks = f"--MappingKernelManager.cull_interval={min(300.0, max(1.0, idle_s / 4)):.0f}"  # five minutes by itself
    return f"{JUPYTER} {kernels} {looks} --ServerApp.shutdown_no_activity_timeout={idle_s:.0f}"


def _weighed(sight: Sight, memory: DevMemory) -> tuple[DevMemory, tuple[Note, ...]]:
    """Takes in how the session's task ended, if it has."""
    ends: list[TaskEnd | None] = []

    def is_followed(end: TaskEnd | None) -> bool:
        ends.append(end)
        return _was_taken_away(end)

    held, notes = replica_set.drop_ended(sight, memory.held, is_followed)
    memory = replace(memory, held=held)
    over = next((end for end in ends if end is not None and not _was_taken_away(end)), None)
    if over is None:
        return memory, notes
    match over.reason:
        case EndReason.SUCCEEDED:
            text, has_failed = f"it ended, idle or left{_saved_text(memory)}; its log says which", False
        case EndReason.TIMED_OUT:
            text, has_failed = "it ended after its longest duration", False
        case _:
            text, has_failed = f"it {over.reason}: {over.detail}", True
    return replace(memory, outcome=text, has_failed=has_failed), notes


def _closed(
    want: Want[DevSpec], view: View[DevMemory], sight: Sight, memory: DevMemory
) -> tuple[DevMemory, tuple[Note, ...]]:
    """Ends the session with the first closing of its calendar after it began: also one that was begun at night."""
    calendar = want.spec.calendar if want.spec else None
    if calendar is None or memory.outcome:
        return memory, ()
    facts = [sight.facts(replica) for replica in memory.held.replicas if not replica.is_leaving]
    began = next((f.started_at for f in facts if f and f.started_at is not None), None)
    if began is None or view.now < calendar.closes_after(began):
        return memory, ()
    text = f"its calendar closed, and it ended{_saved_text(memory)}"
    return replace(memory, outcome=text), (Note("dev.closed", f"{text}; {AGAIN}"),)


def _costing(view: View[DevMemory], memory: DevMemory) -> DevMemory:
    """With what it costs while it runs, which nobody knows any more once it has ended."""
    rate = view.cost.rate_micros_per_hour if view.cost else 0
    return replace(memory, rate_micros_per_hour=rate) if rate and rate != memory.rate_micros_per_hour else memory


def _saved_text(memory: DevMemory) -> str:
    rate = memory.rate_micros_per_hour
    return f", which saves {money_text(rate)} per hour" if rate else ""


def _was_taken_away(end: TaskEnd | None) -> bool:
    ours = (EndReason.SUCCEEDED, EndReason.FAILED, EndReason.OUT_OF_MEMORY, EndReason.TIMED_OUT, EndReason.REFUSED)
    return end is None or end.reason not in ours


def _ensure(want: Want[DevSpec], view: View[DevMemory], part: str) -> Ensure:
    assert want.spec is not None, "nothing is ensured of what is to go"
    thing = view.things.get(part)
    is_told = thing is not None and isinstance(thing.body, TaskBody)
    body = thing.body if is_told and thing else session_body(want.ref, want.spec, view.needs, want.folder)
    assert isinstance(body, TaskBody)
    generation = thing.generation if thing else want.generation
    return Ensure(Capability.TASKS, part, body, generation, task_meters(body))


def _conclude(view: View[DevMemory], sight: Sight, memory: DevMemory) -> tuple[Condition, int]:
    """What is to be said of it, and at which port it can be reached, 0 for none."""
    if view.hold and (view.hold.stops or not memory.held.replicas):
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.hold.reason), 0
    if view.short and not memory.held.replicas:
        return Condition(ConditionType.HELD, True, "BudgetSpent", view.short.reason), 0
    if memory.outcome:
        type = ConditionType.FAILED if memory.has_failed else ConditionType.COMPLETE
        return Condition(type, True, "Ended", f"{memory.outcome}; {AGAIN}"), 0
    current = [replica for replica in memory.held.replicas if sight.is_current(replica)]
    thing = view.things.get(current[0].part) if current else None
    if thing and thing.is_accepted and isinstance(thing.seen, Unknown) and thing.seen.since is not None:
        return Condition(ConditionType.READY, None, "EngineSilent", thing.seen.reason), 0
    facts = sight.facts(current[0]) if current else None
    if current and facts and sight.is_ready(current[0]):
        return Condition(ConditionType.READY, True, "Open", "somebody can work in it"), next(iter(facts.ports), 0)
    if facts and facts.waits:
        return Condition(ConditionType.WAITING, True, "Queued", facts.waits), 0
    return Condition(ConditionType.READY, False, "Starting", "the session is being started"), 0


def _remove(view: View[DevMemory], memory: DevMemory) -> Decision[DevMemory]:
    if all(thing.is_gone for thing in view.things.values()):
        return Decision(forget=True)
    removing = Condition(ConditionType.READY, False, "Removing", "the session is being stopped")
    return Decision(tuple(Release(part) for part in view.things), (removing,), memory=memory, again_s=0.2)

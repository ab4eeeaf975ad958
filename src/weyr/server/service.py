"""What can be done with an opened data folder? The API's verbs as plain methods; handlers only translate.

Whatever touches the loop's world does so under its lock, and asks no engine meanwhile.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from weyr.access.audit import AuditLog, recent
from weyr.access.teams import Teams
from weyr.compose.engines import ENGINES, image_findings, python_findings, standing_findings
from weyr.compose.kinds import KINDS
from weyr.compose.local import Weyr
from weyr.core.audit import AuditEvent
from weyr.core.capability import Capability, TaskBody
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.parts import chosen, none_chosen
from weyr.core.ref import Ref, ThingId
from weyr.core.schema import from_json, to_json
from weyr.core.seen import Present, TaskFacts, TaskState
from weyr.core.units import HOUR_S
from weyr.ledger.advice.values import Looked
from weyr.ledger.grouping import By
from weyr.ledger.meters import ms
from weyr.ledger.prices.pins import Pin, changed_since, pin_of
from weyr.reconcile.admission import Admission, Caller
from weyr.reconcile.apply import apply_plan, planning_world, rows_after
from weyr.reconcile.foresight import foreseen
from weyr.reconcile.order import give_order
from weyr.reconcile.ports import Log
from weyr.reconcile.scheduler.never import never_findings, standing_of
from weyr.server import advising, pool_nodes, views
from weyr.server.answers import Conflict, NotFound
from weyr.server.live import Live
from weyr.server.live_views import unit_costs
from weyr.stack.checks import NO_BUDGET
from weyr.stack.engines import engine_findings
from weyr.stack.parse import parse_stack
from weyr.stack.plan import check_applicable, make_plan
from weyr.stack.plan_json import plan_json
from weyr.stack.steps import Plan
from weyr.stack.usage import parse_usage
from weyr.store import kernel
from weyr.store.kernel import PlanRow

NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan, the file it was made from, which its relative paths begin at, and the prices that it was reckoned by."""

    plan: Plan
    file: str
    prices: Pin


@dataclass(slots=True)
class Service:
    """`wake` rings the loop; it is None where no loop runs and nothing may be changed.

    `stop` ends the server, and `is_stopping` says that it is about to end; `url` is where it listens.
    """

    weyr: Weyr
    now: Callable[[], float]
    log: Log
    audit: AuditLog
    wake: Callable[[list[Ref]], None] | None = None
    mind_clock: Callable[[], float] | None = None
    stop: Callable[[], None] = lambda: None
    is_stopping: Callable[[], bool] = lambda: False
    url: str = ""
    started_at: float = 0.0
    live: Live | None = None
    """How endpoints are doing; None where nobody watches them."""

    def billed_at(self) -> float:
        """The moment of a bill: a clock that was set since the last pass is minded first."""
        return self.now() if self.mind_clock is None else self.mind_clock()

    def refuse(self, principal: str, action: str, resource: str, reason: str) -> None:
        """Puts a refusal on the audit trail."""
        self.audit.append(AuditEvent(self.now(), "server", principal, action, resource, False, reason))

    def server(self) -> dict[str, Any]:
        """Who serves, where, and which of the planes run that have anything to do."""
        running = {name: plane.running() for name, plane in self.weyr.planes.items() if plane.is_wanted}
        return {
            "version": version("weyr"),
            "pid": os.getpid(),
            "is_running": self.wake is not None,
            "uptime_s": round(self.now() - self.started_at, 3) if self.started_at else 0,
            "home": str(self.weyr.home.path),
            "url": self.url,
            "docs_url": f"{self.url}/docs" if self.url else "",
            "planes": {
                name: {
                    "is_running": info is not None,
                    "pid": info.pid if info else None,
                    "url": info.url if info else "",
                }
                for name, info in running.items()
            },
        }

    # --- plans

    def make_plan(
        self,
        text: str,
        file: str,
        usage: str = "",
        usage_file: str = "usage.yaml",
        may_pass: bool = False,
        caller: Caller = NOBODY,
    ) -> dict[str, Any]:
        """Plans what a stack file asks for, from what is there at this moment.

        Takes: `usage`, a usage file's text; `may_pass`: it may pass the stack's budgets.
        """
        stack = parse_stack(text, file, KINDS, engines=ENGINES, price_lists=self.weyr.catalogue.books)
        self._look(stack.name)
        with self.weyr.lock:
            world = planning_world(self.weyr.world, self.weyr.db, stack.name)
            shared = standing_of(stack, self.weyr.world.things)
        book, extra = self.weyr.catalogue.book(stack.price_as), engine_findings(stack, KINDS, ENGINES)
        extra += (
            never_findings(stack, KINDS, shared)
            + image_findings(stack)
            + python_findings(stack)
            + standing_findings(stack.on, self.weyr.home)
        )
        known = foreseen(self.weyr.ledger, self.weyr.catalogue, stack, KINDS, self.billed_at(), self.weyr.world.objects)
        if usage:
            specs = {ref: item.spec for ref, item in stack.objects.items()}
            told = parse_usage(usage, usage_file, stack.name, specs, KINDS)
            figures = {ref: {**known.usage.get(ref, {}), **told.get(ref, {})} for ref in {*known.usage, *told}}
            known = replace(known, usage=figures)
        known = replace(known, may_pass=may_pass)
        plan = make_plan(stack, world, KINDS, book, made_at=self._today(), extra=extra, known=known)
        return self._kept(plan, file, caller)

    def make_removal(self, stack: str, caller: Caller = NOBODY) -> dict[str, Any]:
        """Plans that nothing of a stack is left."""
        self._look(stack)
        with self.weyr.lock:
            row = self.weyr.world.stacks.get(stack)
            if row is None:
                raise NotFound(f"There is no stack {stack}.")
            world = planning_world(self.weyr.world, self.weyr.db, stack)
        plan = make_plan(None, world, KINDS, self.weyr.catalogue.book(row.price_as), made_at=self._today())
        return self._kept(plan, row.file, caller)

    def plan(self, plan_id: str) -> StoredPlan:
        with self.weyr.db.read() as connection:
            row = kernel.get_plan(connection, plan_id)
        if row is None:
            raise NotFound(f"There is no plan {plan_id}.")
        stored: StoredPlan = from_json(StoredPlan, row.body)
        return stored

    def plan_view(self, stored: StoredPlan, caller: Caller) -> dict[str, Any]:
        """A plan as the API tells it, with which of its prices are others today, and what of it has no money now."""
        book, pin = self.weyr.catalogue.books.get(stored.plan.price_as), stored.prices
        changed = changed_since(pin, book, pin.prices) if book else []
        told = {"version": pin.version, "dated": pin.dated, "changed": [str(each) for each in changed]}
        lacks, elsewhere = self._of_money(stored, caller)
        own = [each for each in stored.plan.findings if not elsewhere or each.summary != NO_BUDGET]
        plan = replace(stored.plan, findings=(*lacks, *own, *elsewhere))
        return {**plan_json(plan), "prices": told}

    def _of_money(self, stored: StoredPlan, caller: Caller) -> tuple[Sequence[Diagnostic], Sequence[Diagnostic]]:
        """What there is no money for at this moment, and what other stacks' limits count of it: another budget, or an
        hour later, says something else, so that it is no part of a plan that is kept."""
        plan, folder, team = stored.plan, str(Path(stored.file).parent), Teams(self.weyr.db).of(caller.owner)
        with self.weyr.lock:
            try:
                check_applicable(plan, planning_world(self.weyr.world, self.weyr.db, plan.stack))
            except UserError:
                return (), ()  # it is not carried out as it is, and says why
            rows = rows_after(self.weyr.world, KINDS, plan, folder, self.now(), caller.owner, team)
            admission = self._admission(caller)
            return admission.foretold(plan, rows), admission.elsewhere(plan, rows)

    def _admission(self, caller: Caller) -> Admission:
        return Admission(self.weyr.world, self.weyr.db, self.weyr.ledger, KINDS, self.now(), caller.grants)

    def apply(self, plan_id: str, caller: Caller) -> dict[str, Any]:
        """Takes a plan as what is wanted from now on; the plan that is wanted already is no news.

        Raises: WorldMoved, UserError, NotFound.
        """
        self._may_change()
        stored = self.plan(plan_id)
        folder, team = str(Path(stored.file).parent), Teams(self.weyr.db).of(caller.owner)
        with self.weyr.lock:
            stack = self.weyr.world.stacks.get(stored.plan.stack)
            if stack is None or stack.plan_id != plan_id:
                apply_plan(
                    self.weyr.world, self.weyr.db, KINDS, stored.plan, stored.file, folder, self.now(), caller.owner,
                    team, self._admission(caller).refusals,
                )  # fmt: skip
        self._ring([])
        return {"stack": stored.plan.stack, "plan": plan_id}

    def _kept(self, plan: Plan, file: str, caller: Caller) -> dict[str, Any]:
        stored = StoredPlan(plan, file, pin_of(self.weyr.catalogue.book(plan.price_as)))
        row = PlanRow(plan.id, plan.stack, plan.parent, to_json(StoredPlan, stored), self.now())
        with self.weyr.db.write() as connection:
            kernel.put_plan(connection, row)
        return self.plan_view(stored, caller)

    def _look(self, stack: str) -> None:
        """A plan is made from what is there now; without a loop, from what was last known."""
        if self.wake is not None:
            self.weyr.loop.look(stack, self.now())
            # What was seen may be due for a step long before the loop's thread meant to look again.
            self._ring([])

    # --- objects

    def stacks(self) -> dict[str, Any]:
        with self.weyr.lock:
            return {"stacks": [views.stack_json(self.weyr.world, row) for row in self.weyr.world.stacks.values()]}

    def objects(self, stack: str, kind: str, name: str) -> dict[str, Any]:
        cost = self.weyr.ledger.cost(stack or None, By.OBJECT, self.billed_at())
        costs = {row.key: (row.micros, row.rate_micros_per_hour) for row in cost.rows}
        wanted = {"stack": stack, "kind": kind, "name": name}
        with self.weyr.lock:
            refs = [
                ref
                for ref in sorted(self.weyr.world.objects)
                if all(not value or getattr(ref, field) == value for field, value in wanted.items())
            ]
            rows = {ref: views.object_json(self.weyr.world, ref, costs) for ref in refs}
        if self.live is not None:
            for ref, unit_cost in unit_costs(self.live).items():
                if ref in rows:
                    rows[ref]["unit_cost"] = unit_cost
        return {"objects": list(rows.values())}

    def advice(self, stack: str, idle_s: float = HOUR_S) -> dict[str, Any]:
        """What could be spent less, as of now."""
        now = self.billed_at()
        return advising.advice_json(advising.advice_of(self.weyr, stack, now, Looked(ms(now), idle_s)))

    def why(self, ref: Ref) -> dict[str, Any]:
        """Why an object does not run. Without a loop, as it was concluded last."""
        with self.weyr.lock:
            row = self.weyr.world.objects.get(ref)
            if row is None:
                raise NotFound(f"There is no {ref} in stack {ref.stack}.")
            phase = self.weyr.world.phase(ref)
            said = next((c.message for c in row.status.conditions if c.message), "")
            advice = self.weyr.loop.scaling.given(ref)
        waits = self.weyr.scheduler.why(ref) if self.weyr.scheduler and self.wake else []
        return views.why_json(ref, phase, said, waits, advice)

    def order(self, ref: Ref, verb: str) -> dict[str, Any]:
        """Tells one object by hand what to do."""
        self._may_change()
        with self.weyr.lock:
            if ref not in self.weyr.world.objects:
                raise NotFound(f"There is no {ref} in stack {ref.stack}.")
            give_order(self.weyr.world, self.weyr.db, KINDS, ref, verb, self.now())
        self._ring([ref])
        return {"ref": ref.absolute, "verb": verb}

    def reclaim(self, ref: Ref, notice_s: float, node: str = "") -> dict[str, Any]:
        """Does to a running spot task what a cloud does, or to a pool's node and all that runs there."""
        if ref.kind == "pool":
            id, tasks = pool_nodes.reclaim(self.weyr, ref, node, notice_s)
            reclaimed = [task.ref for task in tasks]
        else:
            id, reclaimed = self._spot_task(ref), [ref]
            if not self.weyr.tasks.reclaim(id, notice_s):
                raise Conflict(f"{ref} does not run now.")
        self.tell_of(ref, "spot.notice", f"the spot node of {id} is reclaimed in {notice_s:g} s", *reclaimed)
        return {"id": str(id), "notice_s": notice_s}

    def tell_of(self, ref: Ref, event: str, text: str, *concerned: Ref) -> None:
        """Puts an event into an object's story, and has it looked at, and those that it concerns."""
        with self.weyr.lock:
            stack = self.weyr.world.stacks.get(ref.stack)  # which may have gone since somebody looked
        plan = stack.plan_id if stack else ""
        with self.weyr.db.write() as connection:
            kernel.add_events(connection, [kernel.EventRow(self.now(), ref.stack, str(ref), plan, event, text)])
        self._ring([ref, *concerned])

    def _spot_task(self, ref: Ref) -> ThingId:
        with self.weyr.lock:
            if ref not in self.weyr.world.objects:
                raise NotFound(f"There is no {ref} in stack {ref.stack or '(none named)'}.")
            is_running = False
            for thing in self.weyr.world.things.get(ref, {}).values():
                match thing.seen, thing.body:
                    case Present(facts=TaskFacts(state=TaskState.RUNNING, notice_at=None)), TaskBody(is_spot=True):
                        return thing.id
                    case Present(facts=TaskFacts(state=TaskState.RUNNING)), TaskBody():
                        is_running = True
                    case _:
                        continue
        if is_running:
            raise Conflict(f"{ref} does not run on spot; only a spot node can be reclaimed.")
        raise Conflict(f"{ref} does not run now.")

    def tasks_of(
        self, ref: Ref, attempt: int | None = None, index: int | None = None, replica: int | None = None
    ) -> list[ThingId]:
        """The tasks of an object's newest attempt, or of the one that is named; of an array, those of each index."""
        with self.weyr.lock:
            live = [t.id for t in self.weyr.world.things.get(ref, {}).values() if t.capability is Capability.TASKS]
        known = [*self.weyr.tasks.tasks_of(ref), *live]
        found = chosen(known, attempt, index, replica)
        if not found:
            raise NotFound(f"{ref.absolute} {none_chosen(known, attempt, index, replica)}.")
        return found

    def recent_audit(self, limit: int) -> list[AuditEvent]:
        """The newest refusals of every process, oldest of them first."""
        return recent(self.weyr.home.audit, limit)

    # --- secrets

    def set_secret(self, ref: Ref, value: str) -> dict[str, Any]:
        self._may_change()
        version = self.weyr.secrets.set(ref.stack, ref.name, value.encode())
        self._ring([ref])
        return {"stack": ref.stack, "name": ref.name, "version": version}

    def delete_secret(self, ref: Ref) -> dict[str, Any]:
        self._may_change()
        if self.weyr.secrets.version(ref) is None:
            raise NotFound(f"{ref.absolute} has no value.")
        self.weyr.secrets.delete(ref)
        self._ring([ref])
        return {"ok": True}

    def teams(self) -> dict[str, Any]:
        return {"teams": [{"name": name, "members": list(who)} for name, who in Teams(self.weyr.db).all().items()]}

    def set_team(self, team: str, members: list[str]) -> dict[str, Any]:
        """Makes a team be these people; what they bring up from now on counts as its cost."""
        self._may_change()
        Teams(self.weyr.db).set(team, members)
        return {"name": team, "members": sorted(set(members))}

    def ring_models(self) -> None:
        """A client changed the registry: what lives there is looked at now, not at the next slow look."""
        with self.weyr.lock:
            refs = [
                ref
                for ref in self.weyr.world.objects
                if (kind := KINDS.get(ref.kind)) and Capability.REGISTRY in kind.capabilities
            ]
        self._ring(refs)

    def _may_change(self) -> None:
        if self.wake is None:
            detail = "This changes what a running server does, and none runs."
            raise UserError(Diagnostic("No server runs", detail, suggestion="weyr server start"))

    def ring_task(self, principal: str) -> None:
        """Looks at a task's object, of whom its token says that it is the task. Raises: Conflict."""
        kind, _, id = principal.partition(":")
        if kind != "task":
            raise Conflict(f"{principal} is no task, and only a task has anything to ring for")
        self._ring([ThingId.parse(id).ref])

    def _ring(self, refs: list[Ref]) -> None:
        if self.wake is not None:
            self.wake(refs)

    def _today(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

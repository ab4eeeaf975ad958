"""Can what a plan brings up be paid for at all, and may its limits be set? Asked when it is applied, so that somebody
hears of it at once.

Only what no waiting helps is refused: a limit that is spent for this period, or has less left than the least that an
object begins with. What others have set aside may come back: who lacks only that is held, and begins when it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from weyr.core.decision import Limit
from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.kind import AnyKind, Begins, Kinds, Usage
from weyr.core.reach import LIMIT, Expected, may_limit, resources_of
from weyr.core.ref import Ref
from weyr.core.schema import from_json
from weyr.core.units import money_text
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.world import World
from weyr.stack.steps import Action, Plan
from weyr.store.database import Database
from weyr.store.kernel import ObjectRow

BEGINS = frozenset({Action.CREATE, Action.REPLACE, Action.RETRY})


@dataclass(frozen=True, slots=True)
class Admission:
    """Says what a plan may not bring up. It looks at the world and the ledger as they are, and changes neither."""

    world: World
    db: Database
    ledger: LedgerPort
    kinds: Kinds
    now: float
    grants: Sequence[str]

    def refusals(self, plan: Plan, rows: Sequence[ObjectRow]) -> list[Diagnostic]:
        """Takes the objects as the plan would leave those that it touches. All that is refused, with its reason."""
        rows_by_ref = {row.ref: row for row in rows}
        unallowed = list(self._unallowed(plan, rows_by_ref))
        if unallowed or plan.may_pass:
            return unallowed
        limits = [(ref, limit) for ref, limit in self._limits(rows_by_ref) if limit.does and limit.is_strict]
        begins = [(step, rows_by_ref[step.ref]) for step in plan.steps if step.action in BEGINS]
        if not limits or not begins:
            return []
        with self.db.read() as connection:
            return [
                Diagnostic(
                    "No money for it", detail, Severity.FATAL, step.place, str(step.ref), "weyr up --over-budget"
                )
                for step, row in begins
                for detail in self._reasons(connection, plan.price_as, row, limits)
            ]

    def _unallowed(self, plan: Plan, rows: Mapping[Ref, ObjectRow]) -> Iterator[Diagnostic]:
        """Limits that would hold what is of other stacks, of somebody who may not say that."""
        for step in plan.steps:
            kind = self.kinds.get(step.ref.kind)
            if step.spec is None or kind is None or kind.limits is None:
                continue
            limit, row = kind.limits(step.ref, _spec(kind, rows[step.ref])), rows[step.ref]
            if limit.does is None or may_limit(self.grants, row.owner, step.ref.stack, limit.reach):
                continue
            wanted = " or ".join(f"{LIMIT}:{resource}" for resource in resources_of(limit.reach))
            detail = (
                f"{step.ref} would keep what is of other stacks from running. That takes the right {wanted}; a limit "
                "that only alerts takes none, nor does one on what you bring up yourself."
            )
            yield Diagnostic("Not yours to limit", detail, Severity.FATAL, step.place, str(step.ref), "then: alert")

    def _reasons(
        self, connection: Connection, book: str, row: ObjectRow, limits: Sequence[tuple[Ref, Limit]]
    ) -> Iterator[str]:
        kind = self.kinds[row.ref.kind]
        least = kind.begins(_spec(kind, row)) if kind.begins else None
        if least is None:
            return
        for by, limit in limits:
            if not limit.reach.covers(row.ref.stack, row.labels):
                continue
            spend = self.ledger.spend_in(connection, limit.reach, limit.every, self.now)
            left, needed = limit.micros - spend.micros, self._micros(connection, book, row, least, limit)
            name = str(by) if by.stack == row.ref.stack else by.absolute
            if left <= 0:
                yield f"{row.ref} cannot begin in {spend.period}: {name} is spent ({limit.title})."
            elif needed > left:
                yield (
                    f"{row.ref} cannot begin in {spend.period}: it needs {money_text(needed)} to begin with, and "
                    f"{money_text(left)} is left of {limit.title} ({name})."
                )

    def _micros(self, connection: Connection, book: str, row: ObjectRow, least: Begins, limit: Limit) -> int:
        usages = [Usage("", sku, quantity, since=None) for sku, quantity in least.meters]
        ahead = Expected(seconds=limit.ahead_s)
        micros = None
        if least.expected is not None:
            micros = self.ledger.expected_micros(connection, row.ref, usages, book, least.expected)
        if micros is None:
            micros = self.ledger.expected_micros(connection, row.ref, usages, book, ahead)
        return least.count * (micros or 0)

    def _limits(self, rows: Mapping[Ref, ObjectRow]) -> Iterator[tuple[Ref, Limit]]:
        """As they will stand: a limit that the plan raises is the raised one."""
        for kind in self.kinds.values():
            if kind.limits is None:
                continue
            refs = {*self.world.of_kind(kind.name), *(ref for ref in rows if ref.kind == kind.name)}
            for ref in sorted(refs):
                row = rows.get(ref) or self.world.objects[ref]
                if row.next_spec or row.spec:
                    yield ref, kind.limits(ref, _spec(kind, row))


def _spec(kind: AnyKind, row: ObjectRow) -> object:
    return from_json(kind.spec, row.next_spec or row.spec or "{}")

"""Can what a plan brings up be paid for at all, and may its limits be set? Told with the plan, and asked again when it
is applied, so that somebody hears of it at once.

Only what no waiting helps is refused: a limit that is spent for this period, or has less left than the least that an
object begins with. What others have set aside may come back: who lacks only that is held, and begins when it does.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from weyr.core.decision import Limit, Spend
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

Named = tuple[Ref, Limit]
BEGINS = frozenset({Action.CREATE, Action.REPLACE, Action.RETRY})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: whose is what is made, and what they may do. "" is nobody in particular."""

    owner: str = ""
    grants: tuple[str, ...] = ()


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
        return [each for each in self.foretold(plan, rows) if each.severity is Severity.FATAL]

    def foretold(self, plan: Plan, rows: Sequence[ObjectRow]) -> list[Diagnostic]:
        """What is refused, and what would be taken on and then wait for money."""
        rows_by_ref = {row.ref: row for row in rows}
        unallowed = list(self._unallowed(plan, rows_by_ref))
        limits = [(ref, limit) for ref, limit in self._limits(rows_by_ref) if limit.does]
        begins = [(step, rows_by_ref[step.ref]) for step in plan.steps if step.action in BEGINS]
        if unallowed or not limits or not begins:
            return unallowed
        asked: Counter[Ref] = Counter()
        with self.db.read() as connection:
            return [
                Diagnostic(lack.summary, lack.detail, lack.severity, step.place, str(step.ref), lack.suggestion)
                for step, row in begins
                for lack in self._lacks(connection, plan, row, limits, asked)
            ]

    def elsewhere(self, plan: Plan, rows: Sequence[ObjectRow]) -> list[Diagnostic]:
        """The limits of other stacks that count something of this plan: whoever reads only its own sees half of it."""
        rows_by_ref = {row.ref: row for row in rows}
        spending = [each.ref for each in plan.costs if each.after.micros or each.after.unpriced]
        counted = [row for ref in spending if (row := rows_by_ref.get(ref) or self.world.objects.get(ref))]
        with self.db.read() as connection:
            return [
                _counted_by(by, limit, self.ledger.spend_in(connection, limit.reach, limit.every, self.now), covered)
                for by, limit in self._limits(rows_by_ref)
                if by.stack != plan.stack
                and (covered := [row.ref for row in counted if limit.reach.covers(row.ref.stack, row.labels)])
            ]

    def _unallowed(self, plan: Plan, rows: Mapping[Ref, ObjectRow]) -> Iterator[Diagnostic]:
        """Limits that would hold what is of other stacks, or would let it go, of somebody who may not say that."""
        for step in plan.steps:
            kind = self.kinds.get(step.ref.kind)
            if kind is None or kind.limits is None:
                continue
            standing, limit = self.world.objects.get(step.ref), None
            if step.spec is not None:
                limit = kind.limits(step.ref, _spec(kind, rows[step.ref]))
            if limit and (wanted := self._lacking(step.ref, limit, rows[step.ref].owner)):
                detail = (
                    f"{step.ref} would keep what is of other stacks from running. That takes the right {wanted}; a "
                    "limit that only alerts takes none, nor does one on what you bring up yourself."
                )
                yield Diagnostic("Not yours to limit", detail, Severity.FATAL, step.place, str(step.ref), "then: alert")
            elif standing and (standing.next_spec or standing.spec):
                # Who set it, and not who asks: nobody lifts what somebody else has laid on him.
                before = kind.limits(step.ref, _spec(kind, standing))
                if before != limit and (wanted := self._lacking(step.ref, before, standing.owner)):
                    detail = (
                        f"{step.ref} holds what is of other stacks within a limit. To change it, or to take it away, "
                        f"takes the right {wanted}."
                    )
                    yield Diagnostic("Not yours to lift", detail, Severity.FATAL, step.place, str(step.ref))

    def _lacking(self, ref: Ref, limit: Limit, owner: str) -> str:
        """The right that lacks for a limit; "" where there is none to ask for."""
        if limit.does is None or may_limit(self.grants, owner, ref.stack, limit.reach):
            return ""
        return " or ".join(f"{LIMIT}:{resource}" for resource in resources_of(limit.reach))

    def _lacks(
        self, connection: Connection, plan: Plan, row: ObjectRow, limits: Sequence[Named], asked: "Counter[Ref]"
    ) -> Iterator["_Lack"]:
        """Of each limit that leaves too little for an object. Adds to `asked` what those of the plan take together."""
        kind = self.kinds[row.ref.kind]
        least = kind.begins(_spec(kind, row)) if kind.begins else None
        if least is None:
            return
        for by, limit in limits:
            if not limit.reach.covers(row.ref.stack, row.labels):
                continue
            spend = self.ledger.spend_in(connection, limit.reach, limit.every, self.now)
            needed = self._micros(connection, plan.price_as, row, least, limit)
            name = str(by) if by.stack == row.ref.stack else by.absolute
            lack = _lack_of(row.ref, name, limit, spend, needed, asked[by], limit.is_strict and not plan.may_pass)
            if lack is not None:
                yield lack
            if lack is None or lack.severity is not Severity.FATAL:
                asked[by] += needed

    def _micros(self, connection: Connection, book: str, row: ObjectRow, least: Begins, limit: Limit) -> int:
        usages = [Usage("", sku, quantity, since=None) for sku, quantity in least.meters]
        ahead = Expected(seconds=limit.ahead_s)
        micros = None
        if least.expected is not None:
            micros = self.ledger.expected_micros(connection, row.ref, usages, book, least.expected)
        if micros is None:
            micros = self.ledger.expected_micros(connection, row.ref, usages, book, ahead)
        return least.count * (micros or 0)

    def _limits(self, rows: Mapping[Ref, ObjectRow]) -> Iterator[Named]:
        """As they will stand: a limit that the plan raises is the raised one."""
        for kind in self.kinds.values():
            if kind.limits is None:
                continue
            refs = {*self.world.of_kind(kind.name), *(ref for ref in rows if ref.kind == kind.name)}
            for ref in sorted(refs):
                row = rows.get(ref) or self.world.objects[ref]
                if row.next_spec or row.spec:
                    yield ref, kind.limits(ref, _spec(kind, row))


@dataclass(frozen=True, slots=True)
class _Lack:
    """Why an object cannot begin at once, and what can be done about it."""

    summary: str
    detail: str
    severity: Severity
    suggestion: str


def _counted_by(by: Ref, limit: Limit, spend: Spend, covered: Sequence[Ref]) -> Diagnostic:
    taken = spend.micros + spend.reserved_micros
    shown = ", ".join(map(str, covered[:3])) + (f" and {len(covered) - 3} more" if len(covered) > 3 else "")
    detail = (
        f"{by.absolute} counts {shown}: {money_text(taken)} of {limit.title} is spent or set aside in {spend.period}, "
        f"{money_text(limit.micros - taken)} is left."
    )
    return Diagnostic("A limit of another stack", detail, Severity.INFO, suggestion=f"weyr budgets --stack {by.stack}")


def _lack_of(
    ref: Ref, name: str, limit: Limit, spend: Spend, needed: int, asked: int, is_refused: bool
) -> _Lack | None:
    """What a limit lacks for what `needed` so much, after the `asked` of others in the same plan; None: nothing."""
    left = limit.micros - spend.micros
    free = left - spend.reserved_micros - asked
    title = f"{limit.title} ({name})"
    if left <= 0:
        why = f"{ref} cannot begin in {spend.period}: {name} is spent ({limit.title})."
    elif needed > left:
        why = (
            f"{ref} cannot begin in {spend.period}: it needs {money_text(needed)} to begin with, and "
            f"{money_text(left)} is left of {title}."
        )
    elif needed > free:
        aside = " and ".join(
            part
            for part in (
                f"{money_text(spend.reserved_micros)} is set aside for what runs" if spend.reserved_micros else "",
                f"{money_text(asked)} is for what begins before it in this plan" if asked else "",
            )
            if part
        )
        detail = (
            f"{ref} needs {money_text(needed)} to begin with. Of the {money_text(left)} that is left of {title} in "
            f"{spend.period}, {aside}: it begins once some of that comes back."
        )
        return _Lack("It waits for money", detail, Severity.WARN, f"weyr why {ref}")
    else:
        return None
    if is_refused:
        what = f"Raise the limit of {name}, or ask for less (a shorter time_limit, a max_cost); or let it wait:"
        return _Lack("No money for it", f"{why} {what}", Severity.FATAL, "weyr up --over-budget")
    detail = f"{why} It is taken on, and is held until the limit is raised or its period ends."
    return _Lack("It waits for money", detail, Severity.WARN, f"weyr why {ref}")


def _spec(kind: AnyKind, row: ObjectRow) -> object:
    return from_json(kind.spec, row.next_spec or row.spec or "{}")

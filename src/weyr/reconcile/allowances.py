"""May what is about to begin begin, by the limits on what it may cost? Asked and answered in the pass's transaction.

Whatever begins is asked about alike: an attempt, a replica, a host, a session, a node. What it will cost is set aside
in every limit that covers it, with the meters that its intention opens; of what has no end of its own, the cost of a
while. The next thing of the same pass finds less left: however many ask at once, together they get no more than there
is. What is set aside goes with the meter; nothing else has to be remembered, and a crash forgets nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from weyr.core.capability import Capability
from weyr.core.decision import Decision, Ensure, Limit, Shortage, Spend, View
from weyr.core.kind import AnyKind, Kinds, Usage
from weyr.core.metering import Reserved
from weyr.core.reach import Expected
from weyr.core.ref import Ref
from weyr.core.units import duration_text, money_text
from weyr.reconcile.parsed import Parsed
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.world import World
from weyr.store.kernel import ObjectRow

Named = tuple[Ref, Limit]

RUNS = frozenset({Capability.TASKS, Capability.NODES})
"""What costs for as long as it runs, or has what it runs on cost."""

SHORT_LOOK_S = 5.0
"""What waits for money is woken when something that had some set aside is settled; a period that ends and a limit that
is raised wake nobody."""


@dataclass(slots=True)
class Allowances:
    """What is left of each limit in this pass, and who waits for more."""

    ledger: LedgerPort
    kinds: Kinds
    parsed: Parsed
    _left: dict[Named, tuple[int, str]] = field(default_factory=dict)
    _prices: dict[Any, int | None] = field(default_factory=dict)
    _waiting: set[Ref] = field(default_factory=set)

    def begin_pass(self) -> None:
        """What was known of the limits was of a pass before."""
        self._left.clear()
        self._prices.clear()

    def afforded(
        self,
        world: World,
        connect: Callable[[], Connection],
        row: ObjectRow,
        view: View[Any],
        decide: Callable[[View[Any]], Decision[Any]],
    ) -> Decision[Any]:
        """What a kind decides that begins no more than can be paid. It is asked again where there is too little."""
        self._waiting.discard(row.ref)
        decision = decide(view)
        short = self._shortage(world, connect, row, decision, view.now)
        if short is None:
            return decision
        for begins in dict.fromkeys((short.begins, 0)):
            decision = decide(replace(view, short=replace(short, begins=begins)))
            still = self._shortage(world, connect, row, decision, view.now)
            if still is None:
                break
        else:
            raise AssertionError(f"{row.ref} begins what it was told may not begin")
        self._waiting.add(row.ref)
        again_s = SHORT_LOOK_S if decision.again_s is None else min(decision.again_s, SHORT_LOOK_S)
        return decision if decision.forget else replace(decision, again_s=again_s)

    def spend(self, ref: Ref, kind: AnyKind, spec: Any, now: float) -> Spend | None:
        """What all that an object limits has cost; None where it limits nothing."""
        if kind.limits is None or spec is None:
            return None
        limit = kind.limits(ref, spec)
        return self.ledger.standing(limit.reach, limit.every, now)

    def open(self, world: World, connection: Connection, row: ObjectRow, action: Ensure, now: float) -> None:
        """Opens a thing's meters, with what is set aside for it."""
        limits = self._covering(world, row) if _runs(action) else []
        known = self._known_micros(world, connection, row, action, bool(limits))
        reserved = Reserved(known or 0, known is not None)
        for named in limits:
            micros = self._micros(world, connection, row, action, named[1], known)
            left, period = self._left_of(connection, named, now)
            self._left[named] = left - micros, period
            reserved = replace(reserved, micros=max(reserved.micros, micros))
        usages, book = _usages(action), world.stacks[row.ref.stack].price_as
        self.ledger.open(connection, row.ref, action.part, usages, book, now, row.labels, reserved)

    def settled(self, world: World) -> None:
        """A meter was closed, and what was set aside for it is free: who waits for that looks again."""
        world.wake(self._waiting)

    def _shortage(
        self, world: World, connect: Callable[[], Connection], row: ObjectRow, decision: Decision[Any], now: float
    ) -> Shortage | None:
        """Which limit has too little left for all that a decision begins, and how much of it may begin all the same."""
        begins = [a for a in decision.actions if isinstance(a, Ensure) and _runs(a) and _is_new(world, row, a)]
        limits = [(by, limit) for by, limit in self._covering(world, row) if limit.does] if begins else []
        if not limits:
            return None
        connection, known = connect(), dict[str, list[tuple[Ensure, int | None]]]()
        for action in begins:
            name = (action.expected and action.expected.together) or action.part
            micros = self._known_micros(world, connection, row, action, is_limited=True)
            known.setdefault(name, []).append((action, micros))
        totals = [0] * len(limits)
        for count, group in enumerate(known.values()):
            for place, (by, limit) in enumerate(limits):
                own = sum(self._micros(world, connection, row, action, limit, micros) for action, micros in group)
                totals[place] += own
                left, period = self._left_of(connection, (by, limit), now)
                if left <= 0 or left < totals[place]:
                    ends = all(micros is not None for _, micros in group)
                    return Shortage(by, _sentence(row.ref, by, limit, own, period, ends), count)
        return None

    def _known_micros(
        self, world: World, connection: Connection, row: ObjectRow, action: Ensure, is_limited: bool
    ) -> int | None:
        """What a thing will cost until it ends by itself; None where it does not, or nobody knows.

        What those before it cost is asked only where a limit depends on it: that is a look into the store.
        """
        expected = action.expected
        if expected is None or not (is_limited or expected.seconds is not None or expected.micros is not None):
            return None
        return self._priced(world, connection, row, action, expected)

    def _micros(
        self, world: World, connection: Connection, row: ObjectRow, action: Ensure, limit: Limit, known: int | None
    ) -> int:
        """What a thing takes of a limit when it begins."""
        if known is not None:
            return known
        return self._priced(world, connection, row, action, Expected(seconds=limit.ahead_s)) or 0

    def _priced(
        self, world: World, connection: Connection, row: ObjectRow, action: Ensure, expected: Expected
    ) -> int | None:
        """What is expected of a thing, in money. Asked twice in a pass, when it is weighed and when it begins."""
        book = world.stacks[row.ref.stack].price_as
        key = (row.ref, book, action.meters, expected.seconds, expected.micros)
        if key not in self._prices:
            usages = _usages(action)
            self._prices[key] = self.ledger.expected_micros(connection, row.ref, usages, book, expected)
        return self._prices[key]

    def _covering(self, world: World, row: ObjectRow) -> Sequence[Named]:
        found = []
        for kind in self.kinds.values():
            for ref in world.of_kind(kind.name) if kind.limits else ():
                other = world.objects[ref]
                spec = self.parsed.spec_if_readable(other, kind) if other.spec and not other.next_spec else None
                if spec is not None and kind.limits:
                    limit = kind.limits(ref, spec)
                    if limit.reach.covers(row.ref.stack, row.labels):
                        found.append((ref, limit))
        return sorted(found, key=lambda named: named[0])

    def _left_of(self, connection: Connection, named: Named, now: float) -> tuple[int, str]:
        if named not in self._left:
            _, limit = named
            spend = self.ledger.standing(limit.reach, limit.every, now)
            self._left[named] = limit.micros - spend.micros - spend.reserved_micros, spend.period
        return self._left[named]


def _runs(action: Ensure) -> bool:
    return action.capability in RUNS


def _is_new(world: World, row: ObjectRow, action: Ensure) -> bool:
    thing = world.things_of(row.ref).get(action.part)
    return thing is None or thing.generation < (row.generation if action.generation is None else action.generation)


def _usages(action: Ensure) -> list[Usage]:
    return [Usage(action.part, sku, quantity, since=None) for sku, quantity in action.meters]


def _sentence(ref: Ref, by: Ref, limit: Limit, micros: int, period: str, ends: bool) -> str:
    # Not how much is left: that changes by the second, and what is said of an object should not.
    name = str(by) if by.stack == ref.stack else by.absolute
    expected = f"it is expected to cost {money_text(micros)}, more than is" if micros else "nothing is"
    if micros and not ends:
        expected = f"{duration_text(limit.ahead_s)} of it cost {money_text(micros)}, more than is"
    return f"{name}: {expected} left of {limit.title} in {period}"

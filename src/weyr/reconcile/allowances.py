"""May what is about to begin begin, by the limits on what it may cost? Asked and answered in the pass's transaction.

What begins is set aside in every limit that covers it, with the meters that its intention opens. The next thing of the
same pass finds less left: however many ask at once, together they get no more than there is. What is set aside goes
with the meter; nothing else has to be remembered, and a crash forgets nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from weyr.core.decision import Decision, Does, Ensure, Hold, Limit, Spend
from weyr.core.kind import AnyKind, Kinds, Usage
from weyr.core.ref import Ref
from weyr.core.units import money_text
from weyr.reconcile.parsed import Parsed
from weyr.reconcile.ports import LedgerPort
from weyr.reconcile.world import World
from weyr.store.kernel import ObjectRow

Named = tuple[Ref, Limit]


@dataclass(slots=True)
class Allowances:
    """What is left of each limit in this pass, and who waits for more."""

    ledger: LedgerPort
    kinds: Kinds
    parsed: Parsed
    _left: dict[Named, tuple[int, str]] = field(default_factory=dict)
    _waiting: set[Ref] = field(default_factory=set)

    def begin_pass(self) -> None:
        """What was known of the limits was of a pass before."""
        self._left.clear()

    def shortage(
        self, world: World, connect: Callable[[], Connection], row: ObjectRow, decision: Decision[Any], now: float
    ) -> Hold | None:
        """Why not all that a decision begins may begin, and how many attempts may all the same."""
        self._waiting.discard(row.ref)
        begins = [a for a in decision.actions if isinstance(a, Ensure) and a.expected and _is_new(world, row, a)]
        limits = [(by, limit) for by, limit in self._covering(world, row) if limit.does] if begins else []
        if not limits:
            return None
        connection, attempts = connect(), dict[str, int]()
        for action in begins:
            assert action.expected is not None, "only what is expected to cost something was kept"
            name = action.expected.together or action.part
            attempts[name] = attempts.get(name, 0) + self._expected(world, connection, row, action)
        for count, begun in enumerate(attempts):
            total, own = sum(list(attempts.values())[: count + 1]), attempts[begun]
            for by, limit in limits:
                left, period = self._left_of(connection, (by, limit), now)
                if left <= 0 or left < total:
                    self._waiting.add(row.ref)
                    return Hold(by, _sentence(row.ref, by, limit, own, period), Does.DRAIN, limit.reach, count)
        return None

    def spend(self, ref: Ref, kind: AnyKind, spec: Any, now: float) -> Spend | None:
        """What all that an object limits has cost; None where it limits nothing."""
        if kind.limits is None or spec is None:
            return None
        limit = kind.limits(ref, spec)
        return self.ledger.spend(limit.reach, limit.every, now)

    def open(self, world: World, connection: Connection, row: ObjectRow, action: Ensure, now: float) -> None:
        """Opens a thing's meters, with what is set aside for it: nothing where no limit covers it."""
        limits = self._covering(world, row) if action.expected else []
        micros = self._expected(world, connection, row, action) if limits else 0
        for named in limits:
            left, period = self._left_of(connection, named, now)
            self._left[named] = left - micros, period
        usages, book = _usages(action), world.stacks[row.ref.stack].price_as
        self.ledger.open(connection, row.ref, action.part, usages, book, now, row.labels, micros)

    def settled(self, world: World) -> None:
        """A meter was closed, and what was set aside for it is free: who waits for that looks again."""
        world.wake(self._waiting)

    def _expected(self, world: World, connection: Connection, row: ObjectRow, action: Ensure) -> int:
        assert action.expected is not None, "nothing is expected of it"
        usages = _usages(action)
        book = world.stacks[row.ref.stack].price_as
        return self.ledger.expected_micros(connection, row.ref, usages, book, action.expected)

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
            spend = self.ledger.spend_in(connection, limit.reach, limit.every, now)
            self._left[named] = limit.micros - spend.micros - spend.reserved_micros, spend.period
        return self._left[named]


def _is_new(world: World, row: ObjectRow, action: Ensure) -> bool:
    thing = world.things_of(row.ref).get(action.part)
    return thing is None or thing.generation < (row.generation if action.generation is None else action.generation)


def _usages(action: Ensure) -> list[Usage]:
    return [Usage(action.part, sku, quantity, since=None) for sku, quantity in action.meters]


def _sentence(ref: Ref, by: Ref, limit: Limit, micros: int, period: str) -> str:
    # Not how much is left: that changes by the second, and what is said of an object should not.
    name = str(by) if by.stack == ref.stack else by.absolute
    expected = f"it is expected to cost {money_text(micros)}, more than is" if micros else "nothing is"
    return f"{name}: {expected} left of {limit.title} in {period}"

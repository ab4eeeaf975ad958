"""First: what is due, and what is there of it? It is metered, and what is proved to be gone is forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from sqlalchemy.exc import SQLAlchemyError

from weyr.core.capability import Capability
from weyr.core.diagnostic import StoreError
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, Seen, newer_than
from weyr.reconcile.intents import with_since
from weyr.reconcile.node_use import shares_of_nodes
from weyr.reconcile.tick.ground import Ground
from weyr.reconcile.writes import Writes, writing


class Observing(Ground):
    """Takes in what engines say."""

    __slots__ = ()

    def _begin(self, now: float) -> tuple[list[Ref], list[tuple[Capability, ThingId]]]:
        """What is due, and which things to ask for."""
        if now < self._last:
            # The clock was set back. What is due by the old time would not be looked at before that comes again.
            self.world.wake(self.world.objects)
            self._metered.clear()
        self._last = now
        due = self.world.take_due(now)
        things = (thing for ref in due for thing in self.world.things_of(ref).values())
        # One that is to go is looked at also if no answer about it was ever kept: its engine keeps the record of its
        # end until a look was told of it, and what ran before that is to be billed.
        return due, [(thing.capability, thing.id) for thing in things if thing.asked_at or thing.is_released]

    def _observed(self, due: Sequence[Ref], found: Mapping[ThingId, Seen], now: float) -> None:
        """Takes in what was seen. It would be seen again: this needs no wait for the disk."""
        with writing(self.db, is_synced=False) as writes, self.ledger.together(writes.connect):
            for id, seen in found.items():
                before = self.world.things[id.ref][id.part]
                learnt = with_since(before.seen, newer_than(before.asked_at, seen), now)
                if learnt == before.seen:
                    continue
                after = replace(before, seen=learnt)
                self.world.put_thing(after)
                if type(before.seen) is not type(learnt):
                    writes.put_thing(after)
            for ref in due:
                self._meter(writes, ref, now)
                self._drop_absent(writes, ref, now)

    def _meter(self, writes: Writes, ref: Ref, now: float) -> None:
        row, kind = self.world.objects[ref], self.kinds.get(ref.kind)
        if kind is None or kind.usage is None or (kind.is_held and not self.world.things_of(ref)):
            return
        try:
            own = kind.usage(self._parsed.spec_if_readable(row, kind), self.world.view_things(ref))
            usages = (*own, *shares_of_nodes(self.world, ref))
            before, again_at = self._metered.get(ref, ((), inf))
            if usages != before or now >= again_at:
                book = self.world.stacks[ref.stack].price_as
                self._metered[ref] = usages, self.ledger.read(writes.connect(), ref, usages, book, now, row.labels)
        except (StoreError, SQLAlchemyError):
            raise
        except Exception as e:  # noqa: BLE001 - one object's use that cannot be read leaves its meters open, no more
            if self._unmetered.get(ref) != repr(e):
                self.effects.log("object.unmetered", ref=ref.absolute, error=repr(e))
            self._unmetered[ref] = repr(e)
        else:
            self._unmetered.pop(ref, None)

    def _drop_absent(self, writes: Writes, ref: Ref, now: float) -> None:
        """Forgets the things that were released and are proved to be gone, and closes their meters."""
        for thing in list(self.world.things_of(ref).values()):
            if thing.is_released and thing.is_accepted and isinstance(thing.seen, Absent):
                self._drop_thing(writes, thing, now)

"""Third: the engines are told what is intended, and their answers written down."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from weyr.core.capability import Wanted
from weyr.core.decision import Note
from weyr.core.ref import ThingId
from weyr.core.seen import Unknown
from weyr.reconcile.effects import Told
from weyr.reconcile.tick.ground import Ground
from weyr.reconcile.writes import Writes, writing
from weyr.store.kernel import ThingRow, kept_text

AFTER_SILENCE_S = 1.0


class Telling(Ground):
    """Says every intention that is not accepted yet."""

    __slots__ = ()

    def _tell(self, untold: Sequence[ThingRow]) -> dict[ThingId, Told]:
        """Tells the engines every intention they have not accepted yet."""
        asked = [(thing, thing.body) for thing in untold if not thing.is_released and thing.body is not None]
        wanted = [(thing.capability, Wanted(thing.id, thing.generation, body)) for thing, body in asked]
        released = [(thing.capability, thing.id) for thing in untold if thing.is_released]
        return self.effects.ensure(wanted) | self.effects.release(released)

    def _answered(self, untold: Sequence[ThingRow], told: Mapping[ThingId, Told], now: float) -> None:
        """Writes the answers down. A lost one leaves the intention standing, which is said again under its key."""
        with writing(self.db, is_synced=False) as writes:
            for asked in untold:
                # An answer is to what was asked: what is intended by now may be something else.
                if asked.id in told and self.world.thing(asked.id) == asked:
                    self._note_answer(writes, asked.id, told[asked.id], now)

    def _note_answer(self, writes: Writes, id: ThingId, answer: Told, now: float) -> None:
        thing = self.world.things[id.ref][id.part]
        fresh = replace(thing, is_accepted=answer.is_accepted, refusal=kept_text(answer.refusal), asked_at=now)
        if thing.is_released and answer.is_accepted:
            fresh = replace(fresh, seen=Unknown("its release was accepted just now", now))
        writes.put_thing(fresh)
        self.world.put_thing(fresh)
        if answer.refusal:
            self._tell_story(writes, id.ref, (Note("engine.refused", answer.refusal),), now)
        quick = 0.05 if answer.is_accepted or answer.refusal else AFTER_SILENCE_S
        self.world.wake([id.ref], now + quick)

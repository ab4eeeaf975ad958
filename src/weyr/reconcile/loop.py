"""How does the world come to be as it was told to be? One loop, which knows no kind by name.

A pass: observe what is due, meter it, let the kinds decide, write the intents, tell the engines, write their answers.
What is intended is stored, with its meters, before an engine hears of it; a crash anywhere leaves intents that the next
pass says again under the same keys. A thing is dropped only after it was released and then seen to be absent. A pass
writes three times at most, however much is due.

Its steps lie in `tick/`, one a file: `observing`, `deciding` (with `recording` and `removing`), `telling`. Here is
their order, and what happens where a store refuses a write: the pass stops, and what the store has is read anew.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from weyr.core.ref import Ref
from weyr.reconcile.tick.deciding import Deciding
from weyr.reconcile.tick.observing import Observing
from weyr.reconcile.tick.telling import Telling
from weyr.reconcile.world import World


class Loop(Observing, Deciding, Telling):
    """The loop over one store's world. What it stands on, and which lock is for what, says `Ground`."""

    __slots__ = ()

    def tick(self, now: float) -> float | None:
        """One pass over what is due at `now`. Gives when the next is due; None: nothing ever is.

        Raises: whatever the store raises. What the store has is then read anew, in whichever thread it was:
        memory may be ahead of it, and a thing forgotten only there would keep its meter for ever.
        """
        with self.turn:
            with self._in_step():
                due, asked = self._begin(now)
            if due:
                found = self.effects.observe(asked)
                with self._in_step():
                    self._observed(due, found, now)
                    untold = self._decided(due, now)
                told = self._tell(untold)
                with self._in_step():
                    self._answered(untold, told, now)
            with self.lock:
                for ref, at in self.effects.rung().items():
                    self.world.wake([ref], at)
                return self.world.due.next()

    def look(self, stack: str, now: float) -> None:
        """Observes a stack's things at once, so that a plan is made from what is there now.

        Its caller does not hold `lock`: engines are asked.
        """
        with self.lock:
            refs = list(self.world.of_stack(stack))
        self.look_at(refs, now)

    def look_at(self, refs: Iterable[Ref], now: float) -> None:
        """Observes these objects' things at once, and meters them. Its caller does not hold `lock`."""
        with self.lock:
            self.world.wake(refs)
        self.tick(now)

    @contextmanager
    def _in_step(self) -> Iterator[None]:
        """A step of a pass: the world is the store's before it, and after it whatever happens."""
        with self.lock:
            if self._is_stale or self.world.is_stale:
                self._reload()
            try:
                yield
            except Exception:
                self._is_stale = True
                self._reload()
                raise

    def _reload(self) -> None:
        self.world = World.load(self.db)
        self._metered.clear()
        self.ledger.forget()
        self._is_stale = False

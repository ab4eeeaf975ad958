"""What does the loop need of the rest? Two small ports, so that it runs the same in production and in `sim`."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from weyr.core.decision import Cost, Spend
from weyr.core.kind import Usage
from weyr.core.metering import Labels, Reserved
from weyr.core.reach import Every, Expected, Reach
from weyr.core.ref import Ref


class LedgerPort(Protocol):
    """The ledger as the loop uses it. Everything that writes takes part in the caller's transaction."""

    def open(
        self,
        connection: Connection,
        ref: Ref,
        part: str,
        usages: Sequence[Usage],
        book: str,
        now: float,
        labels: Labels = (),
        reserved: Reserved = ...,
    ) -> None:
        """Opens a meter for each of the part's usages that has none open, at the book's price of now."""
        ...

    def expected_micros(
        self, connection: Connection, ref: Ref, usages: Sequence[Usage], book: str, expected: Expected
    ) -> int | None:
        """What a part that is about to begin will cost; None where nobody knows."""
        ...

    def read(
        self, connection: Connection, ref: Ref, usages: Sequence[Usage], book: str, now: float, labels: Labels = ()
    ) -> float:
        """Takes what was seen of an object's things; posts lines where they are due.

        Gives when to read the same again: until then it would change nothing.
        """
        ...

    def close(self, connection: Connection, ref: Ref, part: str, at: float) -> None:
        """The thing is proved absent: settles and closes its meters. Idempotent."""
        ...

    def clock_was_set(self, connection: Connection, unset: float, now: float) -> None:
        """Somebody set the clock from `unset` to `now`: what lies between never passed, or passes a second time."""
        ...

    def together(self, connect: Callable[[], Connection]) -> AbstractContextManager[None]:
        """What is opened, read and closed in the block is written at its end."""
        ...

    def mark(self) -> tuple[int, int]:
        """How far what is done `together` has come."""
        ...

    def back_to(self, mark: tuple[int, int]) -> None:
        """What was opened and closed since is not."""
        ...

    def forget(self) -> None:
        """The store may be another one than it was: what is remembered of it is read again."""
        ...

    def standing(self, reach: Reach, every: Every, now: float) -> Spend:
        """What all in the scope has come to, as `spend` says, kept by difference; with what this step has set aside."""
        ...

    def spend(self, reach: Reach, period: Every, now: float) -> Spend:
        """What all in the scope has cost in the running period, not yet posted accrual included."""
        ...

    def spend_in(self, connection: Connection, reach: Reach, period: Every, now: float) -> Spend:
        """The same, as the caller's transaction sees it."""
        ...

    def object_cost(self, ref: Ref, now: float) -> Cost:
        """What an object has cost since it was made, not yet posted accrual included, and its present rate."""
        ...


class Log(Protocol):
    """Events, not prose: a fixed name and fields."""

    def __call__(self, event: str, /, **fields: object) -> None: ...

"""What is a commitment, for those who reckon with it? A fee for every hour, and the use on demand that it pays for."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

FEE, USED = "commitment.fee", "commitment.used"
"""What it costs, and what of that was passed on to whoever used it: what is left of it was for nothing."""

COVERED, COMMITTED = ".covered", ".committed"
"""Behind the SKU of a use: its price on demand taken back, and what the commitment's share of it costs instead."""

COVERABLE = ("task.cpu", "task.memory")
"""What commitments are sold for: machines on demand. Spot, storage, requests and traffic have prices of their own."""


class Form(StrEnum):
    """What it is called where it is bought."""

    SAVINGS_PLAN = "savings_plan"
    RESERVED_INSTANCES = "reserved_instances"
    COMMITTED_USE = "committed_use"
    RESERVATION = "reservation"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a commitment pays for: use at the `books` (names of price books; `aws/*` is all that begin so).

    Either `machines` of its one book, or what its fee pays for at `discount_ppm` millionths off the price on demand.
    `is_shared`: what its own stack leaves of an hour, others may use. `id` is the provider's.
    """

    form: Form
    fee_micros_per_hour: int
    books: tuple[str, ...]
    machines: int = 0
    discount_ppm: int = 0
    is_shared: bool = False
    id: str = ""

    @property
    def is_of_machines(self) -> bool:
        return self.machines > 0

    def covers(self, book: str, sku: str) -> bool:
        return sku in COVERABLE and any(fnmatchcase(book, pattern) for pattern in self.books)

    def covered_micros_per_hour(self, machine_micros: int | None) -> int | None:
        """The price on demand of all that it pays for in an hour. Takes that of one machine of its book for an hour.

        None where it is of machines, and nobody knows what one costs.
        """
        if not self.is_of_machines:
            return self.fee_micros_per_hour * 1_000_000 // (1_000_000 - self.discount_ppm)
        return None if machine_micros is None else self.machines * machine_micros

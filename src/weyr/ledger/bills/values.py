"""What is a bill made of, and what can be said of it beside the journal? The values that pass between the parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from weyr.core.metering import Labels
from weyr.core.ref import Ref

HOUR_MS, DAY_MS = 3_600_000, 86_400_000

Row = Mapping[str, str]
"""A row of the file, under the names of its columns; what is not told is ""."""


class Measure(StrEnum):
    """What is measured, whatever a provider calls it. Its unit follows: INSTANCE in hours, CPU in vCPU-hours, MEMORY
    and STORAGE in GiB-hours, GPU in GPU-hours, EGRESS in GiB, REQUESTS and TOKENS by number. The others have none."""

    INSTANCE = "instance"
    CPU = "cpu"
    MEMORY = "memory"
    GPU = "gpu"
    COMPUTE = "compute"
    """Machines and their parts together, where a bill has the one and the journal the other."""
    STORAGE = "storage"
    EGRESS = "egress"
    REQUESTS = "requests"
    TOKENS = "tokens"
    OTHER = "other"


COMPUTING = (Measure.INSTANCE, Measure.CPU, Measure.MEMORY, Measure.GPU)


class Kind(StrEnum):
    """What a row of a bill is for."""

    USAGE = "usage"
    COMMITMENT = "commitment"
    """What a commitment pays of a use that stands in the bill at its full price."""
    FEE = "fee"
    """What was bought: a commitment, a domain."""
    SUPPORT = "support"
    CREDIT = "credit"
    TAX = "tax"
    ADJUSTMENT = "adjustment"


class Reason(StrEnum):
    """Why a bill and the journal differ."""

    PRICE = "price"
    QUANTITY = "quantity"
    AMOUNT = "amount"
    """One of both: the bill and the journal do not measure in the same unit."""
    UNMETERED = "unmetered"
    """Only the bill has it."""
    UNBILLED = "unbilled"
    """Only the journal has it."""
    ROUNDING = "rounding"
    COMMITMENT = "commitment"
    FEE = "fee"
    SUPPORT = "support"
    CREDIT = "credit"
    TAX = "tax"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One row of a bill. `quantity` None: what it counts has no unit that the journal has, too."""

    kind: Kind
    amount: Decimal
    currency: str
    provider: str
    from_ms: int
    to_ms: int
    measure: Measure
    quantity: Decimal | None
    resource: str
    tags: Labels
    region: str
    invoice: str
    what: str
    """Service and SKU, for people."""


@dataclass(frozen=True, slots=True)
class Owned:
    """Where an amount belongs: an object (None: nobody knows whose it is), what was measured, and the UTC day."""

    ref: Ref | None
    measure: Measure
    day: str


@dataclass(slots=True)
class Side:
    """How much one side has, in its measure's unit (None: it cannot be told), and in which hours since 1970 it has
    anything (empty: it does not tell)."""

    quantity: Decimal | None = Decimal(0)
    hours: set[int] = field(default_factory=set)

    def count(self, quantity: Decimal | None, hours: Iterable[int]) -> None:
        """Adds a quantity, and the hours that it is of."""
        self.quantity = None if self.quantity is None or quantity is None else self.quantity + quantity
        self.hours.update(hours)


@dataclass(slots=True)
class Theirs(Side):
    """What a bill has for one object, measure and day."""

    amounts: dict[Kind, Decimal] = field(default_factory=dict)


@dataclass(slots=True)
class Ours(Side):
    """What the journal has for the same: of each kind by meters and entries, and what earlier bills had posted, by
    reason. `books`: how much is owed to which."""

    kinds: dict[Kind, int] = field(default_factory=dict)
    posted: dict[Reason, int] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)

    @property
    def micros(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Difference:
    """One object, measure and day, side by side. `reasons` add up to `theirs_micros` less `metered_micros`; what of
    them earlier bills had posted is in `posted`."""

    at: Owned
    metered_micros: int
    theirs_micros: int
    reasons: Mapping[Reason, int]
    posted: Mapping[Reason, int]
    book: str
    is_billed: bool = True
    """Whether the bill has anything for it."""
    ours_quantity: Decimal | None = None
    theirs_quantity: Decimal | None = None
    only_ours: tuple[int, ...] = ()
    """Hours since 1970 in which only the journal has something; empty where the bill tells no hours."""
    only_theirs: tuple[int, ...] = ()

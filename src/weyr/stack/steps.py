"""Which values make up a plan? Frozen, complete and free of choices: who applies one decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from weyr.core.assumptions import Assumption
from weyr.core.diagnostic import Diagnostic, Place, Severity
from weyr.core.engine import On
from weyr.core.ref import Ref


class Action(StrEnum):
    """What a step does to its object. `RETRY` starts a failed object again though its spec is the same."""

    CREATE = "create"
    CHANGE = "change"
    RETRY = "retry"
    REPLACE = "replace"
    DESTROY = "destroy"

    @property
    def symbol(self) -> str:
        """The mark that stands before the step in every plan."""
        return _SYMBOLS[self]


_SYMBOLS = {
    Action.CREATE: "+",
    Action.CHANGE: "~",
    Action.RETRY: "~",
    Action.REPLACE: "-/+",
    Action.DESTROY: "-",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs. `old` and `new` are as people write them; None: not set on that side."""

    path: str
    old: str | None
    new: str | None
    is_replacing: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `spec` is what to store, complete and plain; None where the object goes away.

    `generation` is the object's generation afterwards, `from_generation` the one it had when the
    plan was made (0: there was none). Steps stand in the order in which they may begin. `needs` are the
    objects it refers to: they come before it, and where it goes away, after it.
    """

    action: Action
    ref: Ref
    generation: int
    from_generation: int = 0
    spec: Mapping[str, Any] | None = None
    fields: tuple[FieldChange, ...] = ()
    needs: tuple[Ref, ...] = ()
    reason: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """Money per month in integer micro-units; `unpriced` names what no price is known for.

    `ends` are the least and the most that it may come to; None where that is not foreseen, or certain.
    """

    micros: int = 0
    unpriced: tuple[str, ...] = ()
    ends: tuple[int, int] | None = None

    @property
    def least(self) -> int:
        return self.ends[0] if self.ends else self.micros

    @property
    def most(self) -> int:
        return self.ends[1] if self.ends else self.micros


@dataclass(frozen=True, slots=True)
class CostLine:
    """`quantity` of a SKU for so many hours of a month, as it will be metered; `micros` None: no price is known.

    `once_micros`: what is paid at once, and of which this is a month's part.
    """

    sku: str
    quantity: int
    hours: float
    micros: int | None
    note: str = ""
    once_micros: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to have an object: where, on which market, for how much a month, and why it is chosen or is not."""

    name: str
    month: Amount
    why: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """A budget beside what its running period has cost, and what such a period of this stack is expected to.

    `expected` is None where it counts the cost of others too. `period` is `month`, `now` the running one, `2026-11`.
    """

    ref: Ref
    limit_micros: int
    period: str
    expected: Amount | None
    spent_micros: int | None = None
    now: str = ""

    @property
    def left_micros(self) -> int | None:
        """What may still be spent in the running period; None where nothing is known of it."""
        return None if self.spent_micros is None else max(0, self.limit_micros - self.spent_micros)

    @property
    def above_micros(self) -> int:
        """What is expected above the limit."""
        return max(0, self.expected.micros - self.limit_micros) if self.expected else 0


@dataclass(frozen=True, slots=True)
class CommitmentUse:
    """How well a commitment is used in a month: its fee, what it could cover at prices on demand, what it does, and
    what the stack's use of what it covers comes to."""

    fee_micros: int
    covers_micros: int
    covered_micros: int
    coverable_micros: int

    @property
    def utilisation(self) -> float:
        """How much of it is used."""
        return self.covered_micros / self.covers_micros if self.covers_micros else 0.0

    @property
    def coverage(self) -> float:
        """How much of what it could cover it does."""
        return self.covered_micros / self.coverable_micros if self.coverable_micros else 0.0


@dataclass(frozen=True, slots=True)
class ObjectCost:
    """What one object costs per month before and after the plan, and the assumptions behind it.

    `run_before` and `run` are what one run costs, of what has runs. `lines` make up `after`. `candidates` are the ways
    in which it could be had, the chosen one first.
    """

    ref: Ref
    before: Amount
    after: Amount
    notes: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    run_before: Amount | None = None
    run: Amount | None = None
    lines: tuple[CostLine, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    commitment: CommitmentUse | None = None
    """Of a commitment: how well it is used."""

    @property
    def once_micros(self) -> int:
        """What of it is paid at once, for longer than a month."""
        return sum(line.once_micros for line in self.lines)


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that was changed outside Weyr, as a sentence."""

    ref: Ref
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects a plan touches, by what happens to them."""

    create: int = 0
    change: int = 0
    replace: int = 0
    destroy: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable answer to "what would happen?". The same question gives the same `id`.

    `parent` is the plan applied last when this one was made; `seen` are the generations that it
    was made for. `made_at` is for people and no part of the id.
    """

    id: str
    stack: str
    parent: str
    on: On
    price_as: str
    is_removal: bool
    steps: tuple[Step, ...] = ()
    costs: tuple[ObjectCost, ...] = ()
    currency: str = "USD"
    drift: tuple[Drift, ...] = ()
    findings: tuple[Diagnostic, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    made_at: str = ""
    budgets: tuple[BudgetLeft, ...] = ()
    may_pass: bool = False
    prices_version: str = ""
    """Whoever made it allows it to pass its budgets."""

    was_on: On | None = None
    """Where its tasks have begun until now, if that changes."""

    @property
    def has_changes(self) -> bool:
        return bool(self.steps) or self.was_on is not None

    @property
    def fatal(self) -> tuple[Diagnostic, ...]:
        """The findings that forbid applying it."""
        return tuple(f for f in self.findings if f.severity is Severity.FATAL)

    @property
    def counts(self) -> Counts:
        """A retry counts as a change: the object goes on under a new generation."""
        actions = [step.action for step in self.steps]
        return Counts(
            create=actions.count(Action.CREATE),
            change=actions.count(Action.CHANGE) + actions.count(Action.RETRY),
            replace=actions.count(Action.REPLACE),
            destroy=actions.count(Action.DESTROY),
        )

    @property
    def before(self) -> Amount:
        return total_of(cost.before for cost in self.costs)

    @property
    def after(self) -> Amount:
        return total_of(cost.after for cost in self.costs)

    @property
    def runs(self) -> Amount | None:
        """What one run of everything that has runs costs; None where nothing has."""
        runs = [cost.run for cost in self.costs if cost.run is not None]
        return total_of(runs) if runs else None

    @property
    def once(self) -> tuple[ObjectCost, ...]:
        """What is new and is paid at once, for longer than a month."""
        return tuple(cost for cost in self.costs if cost.once_micros and cost.before == Amount())

    @property
    def standing(self) -> Amount:
        """What of a month's cost is there whether anything runs to its end or not."""
        return total_of(cost.after for cost in self.costs if cost.run is None)


def total_of(amounts: Iterable[Amount]) -> Amount:
    """The sum, and of its ends; whatever has no price is named."""
    parts = tuple(amounts)
    unpriced = {sku for amount in parts for sku in amount.unpriced}
    micros = sum(amount.micros for amount in parts)
    ends = (sum(amount.least for amount in parts), sum(amount.most for amount in parts))
    return Amount(micros, tuple(sorted(unpriced)), ends if ends != (micros, micros) else None)


def part_of(amount: Amount, share: float) -> Amount:
    """So much of an amount."""
    ends = (round(amount.least * share), round(amount.most * share)) if amount.ends else None
    return Amount(round(amount.micros * share), amount.unpriced, ends)

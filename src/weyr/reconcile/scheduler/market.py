"""On spot, on demand, or not yet? Asked for each group that may run on spot and must be done by a time.

It asks `weyr.scheduling.spot` once a minute, with what has been seen of the spot nodes of the group's stack. The answer
is a label that the group's nodes must bear; whoever runs where it should not goes on elsewhere from its checkpoint.
What was seen is in memory only: a restart begins with none, which errs on the side of the deadline.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from weyr.core.capability import TaskBody
from weyr.core.pools import Market, PoolBody
from weyr.core.ref import Ref
from weyr.core.units import MICROS
from weyr.reconcile.scheduler.groups import Group, Stage
from weyr.reconcile.scheduler.shapes import is_pooled
from weyr.scheduling.spot import Moment, Runs, Spells, Terms, decide

LOOK_S = 60.0
START_S = 60.0
"""How long a start takes, beside what was done since the last checkpoint."""

UNKNOWN_PRICES = 0.35, 1.0
"""Where a pool names no price: spot is 60 to 70 % off on the three large clouds (November 2026)."""

OVERDUE = 0.05
"""What is left of a job that has taken as long as it was expected to, as a share of that."""


@dataclass(slots=True)
class Markets:
    """The spells of each stack's spot nodes, and the groups that must be done by a time."""

    bounded: dict[str, Group] = field(default_factory=dict)
    look_at: float = float("-inf")
    _spells: dict[str, Spells] = field(default_factory=dict)
    _looked_at: dict[str, float] = field(default_factory=dict)
    _is_there: dict[str, bool] = field(default_factory=dict)

    def note(self, stack: str, is_there: bool) -> None:
        """A spot node of this stack is ready; or one went, or has to go, that nobody let go of."""
        self._is_there[stack] = is_there

    def weigh(self, pools: Mapping[str, PoolBody], now: float) -> Iterator[tuple[Group, Runs]]:
        """What each should run on until the next look, where there is a choice."""
        self.look_at = now + LOOK_S if self.bounded else float("inf")
        prices = _prices(pools)
        stacks = {group.ref.stack for group in self.bounded.values()} & prices.keys()
        for stack in stacks:
            since_s = max(now - self._looked_at.get(stack, now), 0.0)
            self._looked_at[stack] = now
            self._spells[stack] = self._spells.get(stack, Spells()).seen(self._is_there.get(stack, True), since_s)
        for group in self.bounded.values():
            if group.ref.stack in stacks and group.stage in (Stage.WAITING, Stage.TOLD) and not group.is_stopping:
                yield group, self._choice(group, prices[group.ref.stack], now)

    def _choice(self, group: Group, prices: tuple[float, float], now: float) -> Runs:
        body, spells = group.body, self._spells[group.ref.stack]
        assert body.expected_s is not None, "it is not bounded"
        assert body.deadline_at is not None, "it is not bounded"
        lost_s = body.checkpoint.every_s if body.checkpoint else body.expected_s
        launch_s = START_S + min(lost_s, body.expected_s)
        began = min((member.told_at for member in group.members.values() if member.told_at is not None), default=now)
        ran_s = max(now - began - START_S, 0.0)
        work_s = max(body.expected_s - group.attained_s - ran_s, OVERDUE * body.expected_s)
        left_s, slack_s = body.deadline_at - now, body.deadline_at - group.since_s - body.expected_s
        terms = Terms(launch_s, LOOK_S, *prices, body.expected_s, min(max(slack_s, LOOK_S), body.expected_s))
        runs = _runs_of(group)
        return decide(terms, Moment(work_s, left_s, bool(spells.is_there), runs, 0.0), spells)


def is_bounded(body: TaskBody) -> bool:
    """Whether there may be a choice: it may run on spot, must be done by a time, and names no pool, which has one
    market."""
    return bool(body.is_spot and body.deadline_at and body.expected_s and is_pooled(body) and not body.pool)


def label_of(runs: Runs) -> str:
    """What `weyr/spot` must say of a node for it. Who waits, waits for spot."""
    return "no" if runs is Runs.ON_DEMAND else "yes"


def _runs_of(group: Group) -> Runs:
    if group.stage is not Stage.TOLD:
        return Runs.NOTHING
    return Runs.ON_DEMAND if group.spot == "no" else Runs.SPOT


def _prices(pools: Mapping[str, PoolBody]) -> dict[str, tuple[float, float]]:
    """For each stack that has pools of both markets, what an hour on spot and on demand costs, the cheapest of each."""
    found: dict[str, dict[bool, list[int | None]]] = {}
    for name, pool in pools.items():
        markets = found.setdefault(Ref.parse(name).stack, {})
        markets.setdefault(pool.node.market is Market.SPOT, []).append(pool.node.price_micros_per_hour)
    return {stack: _pair(markets[True], markets[False]) for stack, markets in found.items() if len(markets) > 1}


def _pair(spot: list[int | None], demand: list[int | None]) -> tuple[float, float]:
    cheapest = [min((price for price in prices if price), default=0) / MICROS for prices in (spot, demand)]
    return (cheapest[0], cheapest[1]) if all(cheapest) else UNKNOWN_PRICES

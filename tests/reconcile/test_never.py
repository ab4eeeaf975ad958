"""What the plan refuses because it could never start: each of these used to wait for ever without a word."""

import pytest

from weyr.compose.kinds import KINDS
from weyr.core.pools import NodeBody, PoolBody, QueueBody
from weyr.core.priorities import PriorityClass
from weyr.ledger.prices import Catalogue
from weyr.reconcile.scheduler.never import never_findings, standing_of
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import World

SHARED: dict[str, QueueBody | PoolBody] = {
    "team:queue/q": QueueBody(limit={"cpu": 2000}, priority_classes={"production": PriorityClass(900)}),
    "team:pool/p": PoolBody(NodeBody("team:pool/p", 4, 2**30, "H100", 2), 2),
    "team:pool/closed": PoolBody(NodeBody("team:pool/closed", 4, 2**30), 0),
}
TEAM = """stack: s
queues:
  q: {quota: {cpu: 4, H100: 2}, borrow: {H100: 1}, priority_classes: {production: 500}}
  open: {borrow: true}
  dear: {quota: {money: 2 USD}}
pools:
  gpu: {cpu: 8, memory: 8GiB, accelerators: {H100: 2}, max: 3, price: 8 USD, taints: [hot]}
  big: {cpu: 16, max: 2}
  found: {detect: true, max: 1, labels: {only: detected}}
  site: {on: slurm}
"""
REFUSED = {
    "more CPU than its queue may ever have": ("queue: q, resources: {cpu: 5}", "asks for 5 CPU, and s:queue/q"),
    "a gang that is larger than its queue": ("queue: q, replicas: 5", "asks for 5 CPU"),
    "more than the quota and all that may be borrowed": (
        "queue: q, pool: gpu, tolerates: [hot], replicas: 2, resources: {cpu: 1, accelerators: H100:2}",
        "asks for 4 H100, and s:queue/q lets all of it together, with what it may borrow, have 3 H100",
    ),
    "dearer than its queue may be": (
        "queue: dear, pool: gpu, tolerates: [hot], resources: {cpu: 4}",
        "asks for 4.00 per hour, and s:queue/dear",
    ),
    "more than a node of its pool": ("pool: big, resources: {cpu: 17}", "a node of s:pool/big has 16 CPU"),
    "more devices than a node": (
        "pool: gpu, tolerates: [hot], resources: {accelerators: H100:4}",
        "a node of s:pool/gpu has 2 devices in all, of 4 asked for",
    ),
    "a taint it does not bear": ("pool: gpu", "is kept for those that tolerate hot"),
    "a model that no pool has": ("pool: gpu, tolerates: [hot], resources: {accelerators: A100}", "has H100, not A100"),
    "a gang of more nodes than the pool's most": (
        "pool: gpu, tolerates: [hot], replicas: 4, resources: {accelerators: H100:2}",
        "there is room for 3 of them",
    ),
    "more than another stack's queue": ("queue: team:queue/q, resources: {cpu: 3}", "asks for 3 CPU, and team:queue/q"),
    "more than another stack's pool": ("pool: team:pool/p, resources: {cpu: 5}", "a node of team:pool/p has 4 CPU"),
    "a priority class that its queue has not": ("queue: q, priority: prodution", 'Did you mean "production"?'),
    "a class of another queue": ("queue: open, priority: production", "s:queue/open has no priority class"),
    "a class that is not built in, without a queue": ("priority: urgent", "a task without a queue has no"),
    "a class that another stack's queue has not": ("queue: team:queue/q, priority: prod", "team:queue/q has no"),
    "a bound on what is paid with its pool": ("pool: big, max_cost: 5 USD", "used or idle"),
    "a bound in another currency": ("max_cost: 5 EUR", "Weyr has no rates"),
    "a bound below what it is expected to cost": ("max_cost: 0.01 USD, expected_duration: 10h", "stopped before it is"),
}
ADMITTED = {
    "what just fits": "queue: q, resources: {cpu: 4}",
    "with all that may be borrowed": (
        "queue: q, pool: gpu, tolerates: [hot], replicas: 3, resources: {cpu: 1, accelerators: H100}"
    ),
    "what nothing limits": "queue: open, replicas: 100, resources: {cpu: 64}",
    "a pool of a model that it may go to as well": "resources: {cpu: 12}, labels: {weyr/pool: s:pool/big}",
    "what a driver will be asked for": "pool: found, resources: {accelerators: B200:8}",
    "what a cluster may have": "pool: site, replicas: 9, resources: {accelerators: B200:8}",
    "a whole machine that nobody knows": "pool: big, resources: {cpu: 1, memory: 900GiB}",
    "a pool that is closed now": "pool: team:pool/closed, resources: {cpu: 64}",
    "a pool that is not there yet": "pool: none:pool/p, resources: {cpu: 64}",
    "a queue that is not there yet": "queue: none:queue/q, priority: whatever, resources: {cpu: 64}",
    "a built-in class": "queue: q, priority: best-effort",
    "its queue's class": "queue: q, priority: production",
    "another stack's class": "queue: team:queue/q, priority: production",
    "a bound that holds": "max_cost: 5 USD, expected_duration: 10h",
}


def refusals(job: str, text: str = TEAM) -> list[str]:
    stack = parse_stack(f"{text}jobs:\n  x: {{run: x, {job}}}\n", "weyr.yaml", KINDS)
    book = Catalogue.shipped().book(stack.price_as)
    plan = make_plan(stack, World("s"), KINDS, book, extra=never_findings(stack, KINDS, SHARED))
    return [f"{each.place} {each.detail}" for each in plan.fatal]


@pytest.mark.parametrize("case", REFUSED)
def test_what_could_never_start_is_refused_with_its_line_and_reason(case: str) -> None:
    """A job in a line that it can never leave looks like one that is about to start."""
    job, why = REFUSED[case]
    (said,) = refusals(job)
    assert said.startswith("weyr.yaml:12 ")
    assert why in said


def test_what_needs_a_pool_is_refused_where_there_is_none() -> None:
    """A GPU that nobody declared is waited for in vain."""
    (said,) = refusals("resources: {accelerators: H100}", "stack: s\n")
    assert "names no pool; this stack has none" in said
    assert refusals("resources: {accelerators: H100}, pool: team:pool/p", "stack: s\n") == []


@pytest.mark.parametrize("case", ADMITTED)
def test_what_might_start_is_not_refused(case: str) -> None:
    """What a plan cannot know is no reason to say no."""
    assert refusals(ADMITTED[case]) == []


def test_the_terms_of_other_stacks_are_those_that_stand() -> None:
    """A queue of another stack is known by what the scheduler was told of it."""
    stack = parse_stack("stack: s\njobs: {x: {run: x, queue: t:queue/q}}\n", "weyr.yaml", KINDS)
    assert standing_of(stack, {}) == {}

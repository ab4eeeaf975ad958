"""What Weyr says about stacks that are right in every field and still unwise; each with its line."""

import pytest
from known_kinds import KINDS

from weyr.core.decision import Scalar
from weyr.core.ref import Ref
from weyr.ledger.prices import Catalogue
from weyr.stack.parse import parse_stack
from weyr.stack.plan import make_plan
from weyr.stack.world import Existing, World

PRICES = Catalogue.shipped().book("aws/fargate")
Outputs = dict[str, dict[str, Scalar]]
Row = tuple[str, list[tuple[str, str, int, str]]]


def findings(text: str, outputs: Outputs | None = None) -> list[tuple[str, str, int, str]]:
    """(severity, summary, line, ref) of each finding; the stack is called `s` in line 1."""
    stack = parse_stack(f"stack: s\n{text}", "f", KINDS)
    standing = {Ref.parse(ref, "s"): Existing({}, 1, outputs=values) for ref, values in (outputs or {}).items()}
    plan = make_plan(stack, World("s", "p", standing), KINDS, PRICES)
    return [(f.severity.value, f.summary, f.place.line if f.place else 0, f.ref) for f in plan.findings]


BUDGET = "budgets: {month: {limit: 900 USD}}\n"
JOB = "run: x, resources: {memory: 1GiB}"
ENDPOINT = "resources: {memory: 1GiB}"

CASES: dict[str, Row] = {
    "nothing to say": (f"{BUDGET}buckets: {{lake: }}\njobs: {{t: {{{JOB}}}}}\n", []),
    "what spends without a budget": ("buckets: {lake: }\n", [("warn", "No budget", 1, "")]),
    "what spends nothing needs no budget": ("models: {m: }\n", []),
    "spot without a checkpoint": (
        f"{BUDGET}jobs:\n  t:\n    {JOB.replace(', ', chr(10) + '    ')}\n    spot: true\n",
        [("warn", "Spot without a checkpoint", 7, "job/t")]),
    "spot with a checkpoint": (
        f"{BUDGET}jobs: {{t: {{{JOB}, spot: true, checkpoint: {{bucket: lake}}}}}}\nbuckets: {{lake: }}\n", []),
    "a run that is bounded below what the plan reckons with": (
        f"{BUDGET}jobs:\n  t: {{{JOB}, time_limit: 1h, max_cost: 0.01 USD}}\n",
        [("info", "A run is stopped at its bound", 4, "job/t")]),
    "a run that cannot be done for its bound": (
        f"{BUDGET}jobs:\n  t: {{{JOB}, expected_duration: 1h, max_cost: 0.01 USD}}\n",
        [("fatal", "It can never be done", 4, "job/t")]),
    "a run within its bound": (f"{BUDGET}jobs:\n  t: {{{JOB}, time_limit: 1h, max_cost: 1 USD}}\n", []),
    "no memory limit": (
        f"{BUDGET}jobs:\n  t:\n    run: x\n    resources: {{cpu: 2}}\n", [("info", "No memory limit", 6, "job/t")]),
    "two buckets with one name": (
        f"{BUDGET}buckets:\n  a: {{name: s-b}}\n  b:\n", [("fatal", "Two objects with one name", 5, "bucket/b")]),
    "names that differ only in what S3 does not allow": (
        f"{BUDGET}buckets:\n  my-lake:\n  my_lake:\n", [("fatal", "Two objects with one name", 5, "bucket/my_lake")]),
    "two jobs that produce one model": (
        f"{BUDGET}jobs:\n  a: {{{JOB}, produces: m}}\n  b: {{{JOB}, produces: m}}\n"
        "models: {m: {promote_if: {a: '> 1'}}}\n",
        [("warn", "Two writers of one object", 5, "job/b")]),
    "two models with one name": (
        "models:\n  a: {name: one}\n  b: {name: one}\n", [("fatal", "Two objects with one name", 4, "model/b")]),
    "an endpoint whose model comes from nowhere": (
        f"{BUDGET}endpoints: {{e: {{model: m, {ENDPOINT}}}}}\nmodels:\n  m: {{promote_if: {{a: \">= 1\"}}}}\n",
        [("warn", "A model without a source", 5, "model/m")]),
    "a model that a job makes and nobody uses": (
        f"{BUDGET}jobs: {{t: {{{JOB}, produces: m}}}}\nmodels:\n  m:\n",
        [("info", "A model that nobody uses", 5, "model/m")]),
    "a model that a job makes and a gate judges": (
        f"{BUDGET}jobs: {{t: {{{JOB}, produces: m}}}}\nmodels: {{m: {{promote_if: {{a: \"> 1\"}}}}}}\n", []),
    "an alias without a gate": (
        f"{BUDGET}jobs: {{t: {{{JOB}, produces: m}}}}\nendpoints: {{e: {{model: m, {ENDPOINT}}}}}\nmodels:\n  m:\n",
        [("info", "An alias that nobody moves", 6, "model/m")]),
    "an alias that is not the gate's": (
        f"{BUDGET}jobs: {{t: {{{JOB}, produces: m}}}}\nendpoints: {{e: {{model: m@beta, {ENDPOINT}}}}}\n"
        "models:\n  m:\n    promote_if: {a: '> 1'}\n",
        [("info", "An alias that nobody moves", 7, "model/m")]),
    "limits that contradict": (
        f"{BUDGET}jobs: {{t: {{{JOB}, produces: m}}}}\nmodels: {{m: {{promote_if: {{a: \"> 1\"}}}}}}\n"
        f"endpoints:\n  e:\n    model: m\n    {ENDPOINT}\n    scale:\n      min: 3\n      max: 2\n",
        [("fatal", "Limits that contradict", 11, "endpoint/e")]),
    "a secret that has to be set": (
        "secrets:\n  a:\n  b: {generate: 32}\n", [("info", "A secret to be set", 3, "secret/a")]),
    "a budget that will not do": (
        f"budgets:\n  b: {{limit: 1 USD}}\n  c: {{limit: 1 EUR}}\njobs: {{t: {{{JOB}, produces: m}}}}\n"
        f"models: {{m: {{promote_if: {{a: \"> 1\"}}}}}}\nendpoints: {{e: {{model: m, {ENDPOINT}}}}}\n",
        [("fatal", "Costs above the budget", 3, "budget/b"), ("fatal", "A budget in another currency", 4, "budget/c")]),
    "a secret in the open": (
        f"{BUDGET}jobs:\n  t:\n    {JOB.replace(', ', chr(10) + '    ')}\n    env:\n"
        "      MODE: fast\n      API_KEY: x\n",
        [("warn", "A secret in the open", 9, "job/t")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_unwise_is_said_with_its_line(case: str) -> None:
    """Few and sure: a finding that is often wrong teaches people not to read them."""
    text, expected = CASES[case]

    assert findings(text) == expected


SETTLED: dict[str, tuple[str, Outputs]] = {
    "a secret that is set": ("secrets: {a: }\n", {"secret/a": {"version": 1}}),
    "a model with versions and its alias": (
        f"{BUDGET}models: {{m: }}\nendpoints: {{e: {{model: m, {ENDPOINT}}}}}\n",
        {"model/m": {"versions": 2, "production.version": 2}},
    ),
}


@pytest.mark.parametrize("case", SETTLED)
def test_what_was_done_by_hand_is_not_asked_for_again(case: str) -> None:
    """The world counts, not only the file."""
    text, outputs = SETTLED[case]

    assert findings(text, outputs) == []


def test_findings_are_told_worst_first_and_then_by_line() -> None:
    """What forbids the plan stands where the eye begins."""
    told = findings(
        "buckets:\n  a: {name: one-name}\n  b: {name: one-name}\nsecrets: {x: }\njobs: {t: {run: y, spot: true}}\n"
    )

    assert [severity for severity, *_ in told] == ["fatal", "warn", "warn", "info", "info"]
    assert [line for _, _, line, _ in told] == [4, 1, 6, 5, 6]

"""What comes out of a good file: typed specs, each with its lines and what it needs first."""

from typing import Any

import pytest
from known_kinds import KINDS

from weyr.compose.engines import ENGINES
from weyr.core.diagnostic import UserError
from weyr.core.engine import On
from weyr.core.ref import Ref
from weyr.core.schema import Spec
from weyr.core.units import Money
from weyr.stack.parse import parse_stack
from weyr.stack.stack import Stack, path_text

TEXT = """\
stack: digits
on: local

budgets:
  month: {limit: 200 USD, alert_at: [50%, 80%], then: stop}

buckets:
  lake:
    lifecycle: [{prefix: checkpoints/, expire_after: 7d}]
  pond:

jobs:
  train:
    run: python train.py
    resources: {cpu: 1, memory: 1GiB}
    checkpoint:
      bucket: lake
      every: 10s
    reads:
      - lake
      - bucket/pond
    produces: model/digits

models:
  digits: {promote_if: {accuracy: ">= 0.95"}}

endpoints:
  digits:
    model: digits@production
"""


def stack_of(text: str | bytes = TEXT, **options: Any) -> Stack:
    return parse_stack(text, "weyr.yaml", KINDS, **options)


def specs_of(stack: Stack) -> dict[Ref, Spec]:
    return {ref: item.spec for ref, item in stack.objects.items()}


def ref(kind: str, name: str) -> Ref:
    return Ref("digits", kind, name)


def test_amounts_become_units() -> None:
    """Seconds, bytes and micro-units from here on; nothing below reads text again."""
    stack = stack_of()

    train, lake = stack.objects[ref("job", "train")].spec, stack.objects[ref("bucket", "lake")].spec
    month = stack.objects[ref("budget", "month")].spec
    assert train.resources.memory == 2**30  # type: ignore[attr-defined]  # this spec has it
    assert train.checkpoint.every == 10.0  # type: ignore[attr-defined]
    assert lake.lifecycle[0].expire_after == 604_800.0  # type: ignore[attr-defined]
    assert (month.limit, month.alert_at) == (Money(200_000_000, "USD"), (0.5, 0.8))  # type: ignore[attr-defined]


def test_references_are_needs() -> None:
    """The job waits for its bucket and for the model it adds to; the endpoint for the model."""
    needs = {str(ref): [str(need) for need in item.needs] for ref, item in stack_of().objects.items()}

    assert needs == {
        "budget/month": [], "bucket/lake": [], "bucket/pond": [], "model/digits": [],
        "job/train": ["bucket/lake", "bucket/pond", "model/digits"], "endpoint/digits": ["model/digits"],
    }  # fmt: skip


PLACES = {
    (): 13,
    ("run",): 14,
    ("resources", "cpu"): 15,
    ("checkpoint",): 16,
    ("checkpoint", "every"): 18,
    ("checkpoint", "keep"): 16,
    ("reads", 1): 21,
    ("spot",): 13,
}


@pytest.mark.parametrize(("path", "line"), PLACES.items())
def test_every_value_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    """A finding about a field that is not written points at what is around it."""
    place = stack_of().objects[ref("job", "train")].place_of(*path)

    assert (place.file, place.line) == ("weyr.yaml", line)


def test_a_name_alone_has_all_defaults() -> None:
    """`pond:` is a whole bucket."""
    assert stack_of().objects[ref("bucket", "pond")].spec == KINDS["bucket"].spec()


SAME: dict[str, str | bytes] = {
    "as bytes": TEXT.encode(),
    "with a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "with windows line ends": TEXT.replace("\n", "\r\n"),
    "without a last newline": TEXT.rstrip("\n"),
    "with the document marked": f"---\n{TEXT}...\n",
    "without `on`, which has a default": TEXT.replace("on: local\n", "\n"),
    "with a section that is still empty": f"{TEXT}\nsecrets:\n",
    "with what two rules share written once": TEXT.replace("bucket: lake", "bucket: &b lake").replace("- lake", "- *b"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_stack_can_be_written_like_this(case: str) -> None:
    """Editors and other systems leave their marks."""
    stack = stack_of(SAME[case])

    assert {r: item.spec for r, item in stack.objects.items()} == {
        r: item.spec for r, item in stack_of().objects.items()
    }
    assert (stack.name, stack.on.engine, stack.price_as, stack.file) == ("digits", "local", "aws/fargate", "weyr.yaml")


def test_engines_and_price_lists_are_those_the_caller_names() -> None:
    """The parser knows none itself."""
    text = "on: ray\nprice_as: aws/g5.xlarge\nstack: s\n"

    stack = stack_of(text, engines=ENGINES, price_lists=["aws/g5.xlarge"])

    assert (stack.on.engine, stack.price_as, stack.place.line) == ("ray", "aws/g5.xlarge", 3)
    with pytest.raises(UserError) as refused:
        stack_of(text)
    assert [problem.summary for problem in refused.value.diagnostics] == ["Unknown engine", "Unknown price list"]


def test_an_engine_is_named_with_its_settings_below_it() -> None:
    """Which cluster it is belongs into the file that everybody shares."""
    stack = stack_of("stack: s\non: {ray: {address: '10.0.0.7:6379'}}", engines=ENGINES)

    assert stack.on == On("ray", {"address": "10.0.0.7:6379"})
    assert stack.on.key == "ray@10.0.0.7:6379"


BAD_ENGINES = {
    "an unknown setting": ("on: {ray: {adress: x}}", "Unknown field", 'there is no field "adress"'),
    "two engines": ("on: {ray: {}, local: {}}", "A value does not fit", "names 2"),
    "an unknown engine": ("on: {rey: {}}", "Unknown engine", 'Did you mean "ray"?'),
    "a setting of the wrong form": ("on: {ray: {lease: soon}}", "A value does not fit", "lease"),
    "no settings at all": ("on: {ray: 7}", "A value does not fit", "settings of ray"),
}


@pytest.mark.parametrize("case", BAD_ENGINES)
def test_a_mistake_in_an_engines_settings_has_its_line(case: str) -> None:
    """A cluster that is not the one meant must not be found out when jobs land there."""
    text, summary, detail = BAD_ENGINES[case]
    with pytest.raises(UserError) as refused:
        stack_of(f"stack: s\n{text}", engines=ENGINES)
    (problem,) = refused.value.diagnostics
    assert problem.summary == summary
    assert detail.lower() in problem.detail.lower()
    assert problem.place is not None
    assert problem.place.line == 2


def test_a_stack_without_objects_is_a_stack() -> None:
    """An empty one is how everything is removed step by step."""
    assert stack_of("stack: s").objects == {}


def test_paths_are_printed_as_they_are_read() -> None:
    """`lifecycle[0].prefix`, in messages and plans alike."""
    assert path_text(("lifecycle", 0, "prefix")) == "lifecycle[0].prefix"
    assert path_text(()) == ""

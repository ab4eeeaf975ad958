"""What the plan says of models that nobody makes, nobody uses, or whose alias nobody moves."""

from typing import Annotated, Any

import pytest

from weyr.core.checking import Proposal
from weyr.core.ref import Ref
from weyr.core.schema import Reference, Spec, from_plain, to
from weyr.kinds.ml.model.checks import checks
from weyr.kinds.ml.model.spec import ModelSpec

DIGITS = Ref("s", "model", "digits")
GATE = {"promote_if": {"accuracy": ">= 0.95"}}


class MakerSpec(Spec):
    """Something that adds versions, as a job does."""

    produces: Annotated[Reference, to("model")]


class UserSpec(Spec):
    """Something that serves a version, as an endpoint does."""

    model: Annotated[Reference, to("model", alias="production")]


MAKER = {Ref("s", "job", "train"): MakerSpec(produces=Reference("model", "digits"))}
USER = {Ref("s", "endpoint", "e"): UserSpec(model=Reference("model", "digits", "production"))}
BETA = {Ref("s", "endpoint", "e"): UserSpec(model=Reference("model", "digits", "beta"))}

CASES: dict[str, tuple[dict[str, Any], dict[Ref, Any], dict[str, Any], list[str]]] = {
    # who there is: (the model's fields, others, its outputs, findings)
    "it is made and served": (GATE, MAKER | USER, {}, []),
    "nobody makes it": (GATE, USER, {}, ["A model without a source"]),
    "nobody makes it, and it has versions": (GATE, USER, {"versions": 2}, []),
    "nobody uses it": ({}, MAKER, {}, ["A model that nobody uses"]),
    "nobody uses it, and a gate judges it": (GATE, MAKER, {}, []),
    "nobody moves its alias": ({}, MAKER | USER, {}, ["An alias that nobody moves"]),
    "somebody has moved its alias": ({}, MAKER | USER, {"production.version": 1}, []),
    "its gate moves another alias": (GATE, MAKER | BETA, {}, ["An alias that nobody moves"]),
    "nobody has anything to do with it": ({}, {}, {}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_of_a_model_beside_others(case: str) -> None:
    """An endpoint that would wait for ever is found before it is made."""
    fields, others, outputs, summaries = CASES[case]
    specs: dict[Ref, Spec] = {DIGITS: from_plain(ModelSpec, fields), **others}

    found = list(checks(Proposal(specs, {DIGITS: outputs})))

    assert [finding.summary for finding in found] == summaries


def test_two_models_of_one_name_are_refused() -> None:
    """Each would undo what the other does."""
    specs = {Ref("s", "model", name): from_plain(ModelSpec, {"name": "one"}) for name in ("a", "b")}

    assert [finding.summary for finding in checks(Proposal(specs, {}))] == ["Two objects with one name"]

"""What follows from an object itself tells its cost apart, without anybody having written a label."""

from typing import Any

import pytest

from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import from_plain
from weyr.kinds.compute.job import KIND as JOB
from weyr.kinds.ml.endpoint import KIND as ENDPOINT
from weyr.kinds.storage.bucket import KIND as BUCKET
from weyr.reconcile.labelling import labels_by_kind

CASES: dict[str, tuple[AnyKind, dict[str, Any], dict[str, str]]] = {
    "an endpoint of a registered model": (
        ENDPOINT, {"model": "digits@production"}, {"endpoint": "one", "model": "digits"},
    ),
    "an endpoint without a model": (ENDPOINT, {"run": "serve"}, {"endpoint": "one"}),
    "an endpoint of one model in variants": (
        ENDPOINT, {"variants": {"a": "digits@production", "b": "digits@candidate"}},
        {"endpoint": "one", "model": "digits"},
    ),
    "an endpoint of two models": (
        ENDPOINT, {"variants": {"a": "digits@production", "b": "words@production"}}, {"endpoint": "one"},
    ),
    "a job": (JOB, {"run": "work"}, {"experiment": "digits/one"}),
    "a job that trains a model": (
        JOB, {"run": "work", "produces": "model/digits"}, {"experiment": "digits/one", "model": "digits"},
    ),
    "anything else": (BUCKET, {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_label_follows_from_what_it_is(case: str) -> None:
    """By model means what its training and its endpoints cost together, by project what a stack does."""
    kind, written, labels = CASES[case]
    kept = from_plain(kind.spec, written).model_dump(mode="json", exclude_defaults=True)
    assert labels_by_kind(Ref("digits", kind.name, "one"), kept) == {"project": "digits", **labels}

"""What is a cost told apart by that follows from the object itself? Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from weyr.core.ref import Ref


def labels_by_kind(ref: Ref, written: Mapping[str, Any]) -> dict[str, str]:
    """An endpoint's name and its model's, a job's experiment and the model that it trains, and the stack as the
    project, unless a tag says another.

    Takes: `written` is the spec as it is kept. A job's experiment is the one that its runs are logged under. What
    serves several models has no model's label: its cost is of all of them.
    """
    return dict(_labels(ref, written))


def _labels(ref: Ref, written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "project", ref.stack
    models: set[str] = set()
    if ref.kind == "job":
        yield "experiment", f"{ref.stack}/{ref.name}"
        models = {_name(written.get("produces"))}
    if ref.kind == "endpoint":
        yield "endpoint", ref.name
        variants = written.get("variants") or {}
        models = {_name(served.get("model")) for served in (written, *variants.values())}
    models.discard("")
    if len(models) == 1:
        yield "model", models.pop()


def _name(model: Any) -> str:
    """Of `model/digits@production`, as a spec keeps it."""
    return str(model or "").partition("@")[0].rpartition("/")[2]

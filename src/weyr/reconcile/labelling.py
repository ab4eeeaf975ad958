"""What is a cost told apart by that follows from the object itself? Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from weyr.core.ref import Ref


def labels_by_kind(ref: Ref, written: Mapping[str, Any]) -> dict[str, str]:
    """An endpoint's name and its model's, a job's experiment, and the stack as the project, unless a tag says another.

    Takes: `written` is the spec as it is kept. A job's experiment is the one that its runs are logged under.
    """
    return dict(_labels(ref, written))


def _labels(ref: Ref, written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "project", ref.stack
    if ref.kind == "job":
        yield "experiment", f"{ref.stack}/{ref.name}"
    if ref.kind == "endpoint":
        yield "endpoint", ref.name
        model = written.get("model")
        name = model.get("name", "") if isinstance(model, dict) else str(model or "").partition("@")[0]
        if name:
            yield "model", str(name)

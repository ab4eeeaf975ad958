"""How do the inputs of several requests become one call, and its outputs theirs again? Pure, on arrays.

Two requests go together when what `likeness` says of them is equal. Rows are laid one after the other; where a value
to pad with is given, the axes that the model leaves open are made equally long first, and cut back afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weyr.runtime.serve.tensor import TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

    Arrays = Mapping[str, Array]


def open_axes(specs: Sequence[TensorSpec]) -> frozenset[int]:
    """The axes, beside the first, whose size the specs leave open."""
    return frozenset(axis for spec in specs for axis, size in enumerate(spec.shape) if axis and size == -1)


def rows_of(specs: Sequence[TensorSpec], inputs: "Arrays") -> int | None:
    """How many rows the inputs have together; None where they are not rows."""
    if any(spec.shape[:1] != (-1,) for spec in specs):
        return None
    sizes = {array.shape[0] for array in inputs.values()}
    return sizes.pop() if len(sizes) == 1 else None


def likeness(specs: Sequence[TensorSpec], inputs: "Arrays", pad: float | None) -> object:
    """What must be equal for two requests to be joined."""
    if pad is None:
        return tuple(array.shape[1:] for array in inputs.values())
    # Padding needs each open axis to have one size in all inputs of a request, and numbers to pad.
    if _sizes(specs, inputs) is None or any(array.dtype.kind == "O" for array in inputs.values()):
        return tuple(array.shape[1:] for array in inputs.values())
    return tuple(
        tuple(
            -1 if want == -1 else have for want, have in zip(spec.shape[1:], inputs[spec.name].shape[1:], strict=True)
        )
        for spec in specs
    )


def joined(specs: Sequence[TensorSpec], requests: "Sequence[Arrays]", pad: float | None) -> "dict[str, Array]":
    """One array for each input."""
    import numpy as np

    if pad is None:
        return {name: np.concatenate([inputs[name] for inputs in requests]) for name in requests[0]}
    whole: dict[str, Array] = {}
    for spec in specs:
        arrays = [inputs[spec.name] for inputs in requests]
        sizes = tuple(max(array.shape[axis] for array in arrays) for axis in range(1, arrays[0].ndim))
        rows = sum(array.shape[0] for array in arrays)
        filled = np.full((rows, *sizes), pad if arrays[0].dtype.kind != "b" else bool(pad), arrays[0].dtype)
        at = 0
        for array in arrays:
            filled[(slice(at, at + array.shape[0]), *(slice(0, size) for size in array.shape[1:]))] = array
            at += array.shape[0]
        whole[spec.name] = filled
    return whole


def parted(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], requests: "Sequence[Arrays]", given: "Arrays",
    pad: float | None,
) -> "list[dict[str, Array]] | None":  # fmt: skip
    """Each request's part of the outputs; None where an output has not as many rows as went in."""
    rows = [next(iter(request.values())).shape[0] for request in requests]
    if any(array.shape[:1] != (sum(rows),) for array in given.values()):
        return None
    own = [_sizes(inputs, request) or {} for request in requests]
    longest = {axis: max(sizes[axis] for sizes in own) for axis in own[0]} if pad is not None else {}
    opened = {spec.name: open_axes([spec]) for spec in outputs}
    parts: list[dict[str, Array]] = []
    at = 0
    for count, sizes in zip(rows, own, strict=True):
        part: dict[str, Array] = {}
        for name, array in given.items():
            cut = [slice(at, at + count)]
            for axis in range(1, array.ndim):
                is_padded = axis in longest and axis in opened.get(name, ()) and array.shape[axis] == longest[axis]
                cut.append(slice(0, sizes[axis] if is_padded else array.shape[axis]))
            part[name] = array[tuple(cut)]
        parts.append(part)
        at += count
    return parts


def _sizes(specs: Sequence[TensorSpec], inputs: "Arrays") -> dict[int, int] | None:
    """The size of each open axis; None where two inputs differ in it."""
    sizes: dict[int, int] = {}
    for spec in specs:
        for axis in open_axes([spec]):
            size = inputs[spec.name].shape[axis]
            if sizes.setdefault(axis, size) != size:
                return None
    return sizes

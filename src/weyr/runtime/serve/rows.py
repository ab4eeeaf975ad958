"""How does JSON without shapes and datatypes become what a model takes? The model's own metadata says the rest.

Two forms, as TensorFlow Serving names them: by input (`{"x": [[1, 2], [3, 4]]}`, all rows of each together) and by row
(`[{"x": [1, 2]}, {"x": [3, 4]}]`, or bare values where the model has one input). Pure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.tensor import DIMENSIONS_MAX, Malformed, TensorSpec, checked_shape, from_json

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

V1_FORMS = ("instances", "inputs")
"""By row and by input, as the V1 protocol's bodies name them."""


def by_input(specs: Sequence[TensorSpec], given: object) -> "dict[str, Array]":
    """Takes an object of named inputs, or the value of the only input. Raises: Malformed."""
    named = given if isinstance(given, dict) else None
    if named is None:
        if len(specs) != 1:
            raise Malformed(f"name the inputs: {', '.join(spec.name for spec in specs)}")
        named = {specs[0].name: given}
    _check_names(specs, named, "")
    return {spec.name: _array(spec, named[spec.name]) for spec in specs}


def by_row(specs: Sequence[TensorSpec], given: object) -> "dict[str, Array]":
    """Takes a list of rows. Raises: Malformed."""
    if not isinstance(given, list) or not given:
        raise Malformed("the rows are a list that is not empty")
    is_named = isinstance(given[0], dict)
    if not is_named and len(specs) != 1:
        raise Malformed(f"each row is an object of the inputs: {', '.join(spec.name for spec in specs)}")
    if any(isinstance(row, dict) is not is_named for row in given):
        raise Malformed("either all rows are objects, or none")
    if not is_named:
        return {specs[0].name: _array(specs[0], given)}
    for at, row in enumerate(given):
        _check_names(specs, row, f"row {at}: ")
    return {spec.name: _array(spec, [row[spec.name] for row in given]) for spec in specs}


def is_one_row(specs: Sequence[TensorSpec], given: Mapping[str, Any]) -> bool:
    """Whether the values are one row's: each with one axis less than its input has."""
    return all(
        spec.shape[:1] == (-1,) and len(_shape_of(given.get(spec.name))) == len(spec.shape) - 1 for spec in specs
    )


def told_by_input(outputs: "Mapping[str, Array]") -> dict[str, Any]:
    """Nested lists. JSON knows no NaN and no infinity: they become null."""
    return {name: _nested(array) for name, array in outputs.items()}


def told_by_row(outputs: "Mapping[str, Array]") -> list[Any]:
    """A list of objects, or of bare values where there is one output. Raises: Malformed where there are no rows."""
    counts = {len(array) if array.ndim else -1 for array in outputs.values()}
    if len(counts) != 1 or -1 in counts:
        raise Malformed("the model's outputs are not rows; ask by input")
    told = told_by_input(outputs)
    if len(told) == 1:
        return list(next(iter(told.values())))
    return [dict(zip(told, values, strict=True)) for values in zip(*told.values(), strict=True)]


def _check_names(specs: Sequence[TensorSpec], named: Mapping[str, Any], where: str) -> None:
    known = [spec.name for spec in specs]
    if unknown := [name for name in named if name not in known]:
        raise Malformed(f'{where}there is no input "{unknown[0]}"; known: {", ".join(known)}')
    if missing := [name for name in known if name not in named]:
        raise Malformed(f'{where}the input "{missing[0]}" is missing')


def _array(spec: TensorSpec, value: object) -> "Array":
    shape = checked_shape(spec.name, list(_shape_of(value)))
    if len(shape) != len(spec.shape):
        raise Malformed(f'"{spec.name}" has {len(shape)} dimensions; the model takes {list(spec.shape)}')
    return from_json(spec.name, spec.datatype, shape, value if isinstance(value, list) else [value])


def _shape_of(value: object) -> tuple[int, ...]:
    """The shape that the first values on each level say; whether all agree is checked where they are read."""
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > DIMENSIONS_MAX or not value:
            break
        value = value[0]
    return tuple(shape)


def _nested(array: "Array") -> Any:
    import numpy as np

    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return _without_nan(array.tolist())
    if array.dtype.kind in "USO":
        return np.asarray(array, dtype=object).astype(str).tolist()
    return array.tolist()


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return value if math.isfinite(value) else None

"""Are the rows of a batch independent? Nobody says so of a graph, so it is tried: a few rows together, and each alone.

A first axis without a fixed size may count rows, or the words of one sentence. In the second case, and where a scale
is worked out over the whole batch, as dynamic INT8 does, computing several callers' rows together would change answers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from weyr.runtime.serve.tensor import DTYPES, TensorSpec

if TYPE_CHECKING:
    import numpy as np

    from weyr.runtime.serve.tensor import Array

    Predict = Callable[[Mapping[str, "Array"]], Mapping[str, "Array"]]

ROWS = 3
FREE = 4
"""How large an axis is in the trial that may have any size."""

TOLERANCE = 1e-3
"""Relative to the largest value: the order of a sum changes with the batch's size, and with it the last bits."""


def sample_of(specs: Sequence[TensorSpec], rows: int) -> dict[str, "Array"]:
    """Made-up inputs with `rows` rows: fractions around zero, ones and zeros for whole numbers. Always the same."""
    import numpy as np

    chance = np.random.default_rng(0)
    return {spec.name: _made(chance, spec, rows) for spec in specs}


def rows_are_independent(predict: "Predict", specs: Sequence[TensorSpec]) -> bool:
    """Whether `ROWS` rows give together what they give alone. Raises: whatever `predict` raises."""
    import numpy as np

    if any(spec.shape[:1] != (-1,) for spec in specs):
        return False
    sample = sample_of(specs, ROWS)
    together = predict(sample)
    if any(array.shape[:1] != (ROWS,) for array in together.values()):
        return False
    alone = [predict({name: array[row : row + 1] for name, array in sample.items()}) for row in range(ROWS)]
    if any(array.shape[:1] != (1,) for row in alone for array in row.values()):
        return False
    joined = {name: np.concatenate([row[name] for row in alone]) for name in together}
    return all(_is_close(together[name], joined[name]) for name in together)


def _made(chance: "np.random.Generator", spec: TensorSpec, rows: int) -> "Array":
    import numpy as np

    first = [rows if size < 0 else size for size in spec.shape[:1]]
    shape = (*first, *(FREE if size < 0 else size for size in spec.shape[1:]))
    if spec.datatype == "BYTES":
        return np.array(chance.integers(0, 2, shape).astype(str), dtype=object)
    if spec.datatype.startswith("FP"):
        return np.asarray(chance.standard_normal(shape)).astype(DTYPES[spec.datatype])
    return np.asarray(chance.integers(0, 2, shape)).astype(DTYPES[spec.datatype])


def _is_close(one: "Array", other: "Array") -> bool:
    import numpy as np

    if one.shape != other.shape:
        return False
    if one.dtype.kind != "f":
        return bool((one == other).all())
    scale = float(np.nanmax(np.abs(one), initial=0.0)) if one.size else 0.0
    return bool(np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True))

"""Which tasks is an array, and what does each find in its environment? Pure."""

from itertools import product
from math import prod

from weyr.kinds.compute.job.spec import ArrayPart, JobSpec

AT_ONCE = 100
"""How many indices are under way where the file does not say: what they wait for is the queue's affair."""


def array_of(spec: JobSpec) -> ArrayPart | None:
    assert not isinstance(spec.array, int), "the parser makes an array of a number"
    return spec.array


def count_of(array: ArrayPart) -> int:
    """How many tasks an array is."""
    return prod(len(values) for values in array.matrix.values()) if array.matrix else array.count or 1


def at_once(array: ArrayPart) -> int:
    return array.max_parallel or min(AT_ONCE, count_of(array))


def index_env(spec: JobSpec, index: int | None, name: str) -> dict[str, str]:
    """The variables of one index, in our words and in those that scripts for Slurm's arrays look for."""
    array = array_of(spec)
    if array is None or index is None:
        return {}
    count = count_of(array)
    return {
        "WEYR_ARRAY_INDEX": str(index),
        "WEYR_ARRAY_COUNT": str(count),
        "SLURM_ARRAY_JOB_ID": name,
        "SLURM_ARRAY_TASK_ID": str(index),
        "SLURM_ARRAY_TASK_COUNT": str(count),
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": str(count - 1),
        **{f"WEYR_MATRIX_{key.upper().replace('-', '_')}": value for key, value in combination(array, index)},
    }


def combination(array: ArrayPart, index: int) -> tuple[tuple[str, str], ...]:
    """The values of one index of a matrix. By name, not by place in the file: to sort a file changes no task."""
    names = sorted(array.matrix)
    if not names:
        return ()
    chosen = list(product(*(array.matrix[name] for name in names)))[index]
    return tuple((name, str(value)) for name, value in zip(names, chosen, strict=True))

"""Is a tensor read exactly, or refused? Nothing in between."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.runtime.serve.tensor import (
    DTYPES,
    Malformed,
    datatype_of,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)

NUMBERS = [name for name in DTYPES if name not in ("BYTES", "BOOL")]


@pytest.mark.parametrize("datatype", DTYPES)
def test_every_datatype_survives_both_ways_of_travel(datatype: str) -> None:
    """What a client sends is what the model gets, and back."""
    values: Any = {"BYTES": ["", "a", "wörd", "b"], "BOOL": [True, False, True, True]}.get(datatype, [0, 1, 2, 100])
    array = from_json("x", datatype, [2, 2], values)
    assert datatype_of(array.dtype) == datatype
    raw = from_bytes("x", datatype, [2, 2], memoryview(to_bytes(array, datatype)))
    assert np.array_equal(array, raw)
    assert to_json(raw) == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_exact_to_the_last_bit(values: list[float]) -> None:
    """JSON in, JSON out: no digit is lost."""
    assert to_json(from_json("x", "FP64", [len(values)], values)) == values


@pytest.mark.parametrize("datatype", [name for name in NUMBERS if "INT" in name])
def test_a_number_beyond_its_datatype_is_refused(datatype: str) -> None:
    """Wrapping 256 to 0 would be an answer to another question."""
    limits = np.iinfo(DTYPES[datatype])
    for value in (int(limits.min), int(limits.max)):
        assert from_json("x", datatype, [1], [value]).tolist() == [value]
    for value in (int(limits.min) - 1, int(limits.max) + 1, 10**30):
        with pytest.raises(Malformed, match="out of range"):
            from_json("x", datatype, [1], [value])


@pytest.mark.parametrize(("datatype", "value"), [("FP16", 1e5), ("FP32", 1e39), ("FP64", 10**400)])
def test_a_number_too_large_for_a_float_is_refused(datatype: str, value: float) -> None:
    """It would become infinity."""
    with pytest.raises(Malformed, match="out of range"):
        from_json("x", datatype, [1], [value])


WRONG: list[tuple[str, Any]] = [
    ("INT64", 1.0), ("INT64", True), ("FP64", True), ("FP64", "1"), ("FP64", None), ("BOOL", 1), ("BYTES", 1),
    ("FP64", {}), ("FP64", []),
]  # fmt: skip


@pytest.mark.parametrize(("datatype", "value"), WRONG)
def test_a_value_of_another_kind_is_refused(datatype: str, value: Any) -> None:
    """JSON has true, "1" and 1, and they are not the same."""
    with pytest.raises(Malformed):
        from_json("x", datatype, [2], [value, value])


def test_nesting_must_be_that_of_the_shape() -> None:
    """Flat data or exactly nested; a transposed matrix is a mistake, not a layout."""
    flat = from_json("x", "INT64", [2, 3], [1, 2, 3, 4, 5, 6])
    assert np.array_equal(flat, from_json("x", "INT64", [2, 3], [[1, 2, 3], [4, 5, 6]]))
    for data in ([[1, 2], [3, 4], [5, 6]], [[1, 2, 3], [4, 5]], [[1, 2, 3], 4], [[[1, 2, 3], [4, 5, 6]]]):
        with pytest.raises(Malformed):
            from_json("x", "INT64", [2, 3], data)


@pytest.mark.parametrize("size", [0, 7, 9, 16])
def test_raw_bytes_must_be_as_many_as_the_shape_says(size: int) -> None:
    """One byte too few is somebody else's tensor."""
    with pytest.raises(Malformed, match="bytes"):
        from_bytes("x", "FP64", [1], memoryview(bytes(size)))


@given(st.binary(max_size=40), st.integers(0, 5))
def test_no_bytes_break_the_reading_of_texts(data: bytes, count: int) -> None:
    """Lengths come from the caller, and callers lie."""
    try:
        array = from_bytes("x", "BYTES", [count], memoryview(data))
    except Malformed:
        return
    assert to_bytes(array, "BYTES") == data


def test_what_json_cannot_say_becomes_null() -> None:
    """NaN in a JSON answer would be no JSON; binary data carries it."""
    array = np.array([1.0, np.nan, np.inf])
    assert to_json(array) == [1.0, None, None]
    assert np.array_equal(from_bytes("x", "FP64", [3], memoryview(to_bytes(array, "FP64"))), array, equal_nan=True)

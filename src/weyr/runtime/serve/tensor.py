"""How do tensors travel? As JSON numbers or raw bytes, each with a shape and one of the protocol's datatypes.

Reading is strict: a value that does not fit its datatype is refused, never rounded, wrapped or cut.

Source: Open Inference Protocol v2, "Tensor Data Types" and the binary tensor data extension (2025-11).
"""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

DTYPES = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BYTES": "object",
}  # fmt: skip
"""The protocol's datatypes as numpy's. BYTES is text: UTF-8 on the wire, `str` for the model."""

FINITE = {"FP16": 65504.0, "FP32": 3.4028234663852886e38, "FP64": 1.7976931348623157e308}
"""The largest number that a float of each datatype holds."""

BF16 = "BF16"
"""Not among numpy's. It is taken as raw bytes and becomes FP32, which holds all its values; no output is BF16."""

DATATYPES = (*DTYPES, BF16)

DIMENSIONS_MAX = 16
ELEMENTS_MAX = 2**31


class Malformed(ValueError):
    """The caller's mistake; its text is the answer."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What the metadata says of one input or output. -1 in `shape` stands for any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def plain(self) -> dict[str, object]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@cache
def datatype_of(dtype: "np.dtype[Any]") -> str | None:
    """The protocol's name of a numpy dtype, None where it has none."""
    if dtype.kind in "USO":
        return "BYTES"
    word = dtype.newbyteorder("<").str.replace("|", "<")
    return next((name for name, code in DTYPES.items() if code in (word, dtype.char)), None)


def checked_shape(name: str, shape: object) -> list[int]:
    """A shape as a caller wrote it. Raises: Malformed."""
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Malformed(f'the shape of "{name}" is not a list of sizes')
    if len(shape) > DIMENSIONS_MAX:
        raise Malformed(f'"{name}" has {len(shape)} dimensions; at most {DIMENSIONS_MAX} are possible')
    count = math.prod(shape)
    if count > ELEMENTS_MAX:
        raise Malformed(f'"{name}" has {count} elements; at most {ELEMENTS_MAX} are possible')
    return shape


def from_json(name: str, datatype: str, shape: list[int], data: object) -> "Array":
    """The array behind a JSON value, flat or nested as `shape` says. Raises: Malformed."""
    import numpy as np

    if datatype == BF16:
        raise Malformed(f'"{name}" is BF16, which has no JSON form; send it as binary data')
    if not isinstance(data, list):
        raise Malformed(f'the data of "{name}" is not a list')
    flat = _flat(name, shape, data)
    count = math.prod(shape)
    if len(flat) != count:
        raise Malformed(f'"{name}" has {len(flat)} elements, and its shape {shape} asks for {count}')
    types = set(map(type, flat))
    if not types <= _json_types(datatype):
        found = ", ".join(sorted(_json_name(kind) for kind in types - _json_types(datatype)))
        raise Malformed(f'"{name}" is {datatype}, and its data holds {found}')
    limit = FINITE.get(datatype)
    if limit is not None and flat and -limit <= min(flat) and max(flat) <= limit:
        # The usual case, and there is nothing left to check: JSON has no NaN.
        return np.array(flat, dtype=DTYPES[datatype]).reshape(shape)
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, dtype=DTYPES[datatype]).reshape(shape)
        is_in_range = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    except OverflowError:
        is_in_range = False
    if not is_in_range:
        raise Malformed(f'"{name}" is {datatype}, and its data holds a number out of range')
    return array


def from_bytes(name: str, datatype: str, shape: list[int], data: memoryview) -> "Array":
    """The array behind raw bytes, little-endian and row by row. Raises: Malformed."""
    import numpy as np

    count = math.prod(shape)
    if datatype == "BYTES":
        return np.array(_texts(name, data, count), dtype=object).reshape(shape)
    dtype = np.dtype("<u2" if datatype == BF16 else DTYPES[datatype])
    if len(data) != count * dtype.itemsize:
        raise Malformed(f'"{name}" has {len(data)} bytes; {datatype} of shape {shape} is {count * dtype.itemsize}')
    array = np.frombuffer(data, dtype).reshape(shape)
    # BF16 is the upper half of an FP32.
    return (array.astype("<u4") << 16).view("<f4") if datatype == BF16 else array


def to_json(array: "Array") -> list[Any]:
    """Flat JSON data. JSON knows no NaN and no infinity: they become null; ask for binary data to get them."""
    import numpy as np

    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [value if math.isfinite(value) else None for value in array.ravel().tolist()]
    values: list[Any] = array.ravel().tolist()
    return [str(value) for value in values] if array.dtype.kind in "USO" else values


def json_text(array: "Array") -> str:
    """As `to_json`, written down. Python writes a list of numbers as JSON does, and faster than an encoder."""
    if array.dtype.kind in "iuf":
        values = array.ravel().tolist()
        # One infinity or NaN among them makes the sum no number; large numbers may, too, and are looked at one by one.
        if array.dtype.kind != "f" or math.isfinite(sum(values)):
            return repr(values)
    return json.dumps(to_json(array), separators=(",", ":"))


def to_bytes(array: "Array", datatype: str) -> bytes:
    """Raw bytes: each text after its length in four bytes, everything else little-endian."""
    import numpy as np

    if datatype == "BYTES":
        encoded = [str(value).encode() for value in array.ravel().tolist()]
        return b"".join(chain.from_iterable((struct.pack("<I", len(text)), text) for text in encoded))
    return np.ascontiguousarray(array, dtype=DTYPES[datatype]).tobytes()


def _flat(name: str, shape: Sequence[int], data: list[Any]) -> list[Any]:
    """Takes the nesting apart level by level, each as long as `shape` says."""
    if not data or type(data[0]) is not list:
        return data
    for level, size in enumerate(shape):
        if level == 0:
            if len(data) != size:
                raise Malformed(f'"{name}" has {len(data)} rows, and its shape {list(shape)} asks for {size}')
            continue
        if set(map(type, data)) != {list} or set(map(len, data)) != {size}:
            raise Malformed(f'the nesting of "{name}" is not that of its shape {list(shape)}')
        data = list(chain.from_iterable(data))
    return data


def _texts(name: str, data: memoryview, count: int) -> list[str]:
    texts: list[str] = []
    at = 0
    while at < len(data) and len(texts) < count:
        if at + 4 > len(data):
            raise Malformed(f'"{name}" ends within the length of a text')
        (size,) = struct.unpack_from("<I", data, at)
        at += 4
        if at + size > len(data):
            raise Malformed(f'"{name}" ends within a text of {size} bytes')
        try:
            texts.append(str(data[at : at + size], "utf-8"))
        except UnicodeDecodeError as e:
            raise Malformed(f'"{name}" holds a text that is not UTF-8') from e
        at += size
    if at != len(data) or len(texts) != count:
        raise Malformed(f'"{name}" holds {len(texts)} texts in {at} of {len(data)} bytes; its shape asks for {count}')
    return texts


def _json_types(datatype: str) -> set[type]:
    match datatype:
        case "BOOL":
            return {bool}
        case "BYTES":
            return {str}
        case "FP16" | "FP32" | "FP64":
            return {float, int}
        case _:
            return {int}


def _json_name(kind: type) -> str:
    names = {
        bool: "true or false",
        str: "text",
        float: "a fraction",
        int: "a number",
        dict: "an object",
        list: "a list",
    }
    return names.get(kind, "null")

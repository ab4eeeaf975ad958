"""What does a function of the user's take and give? Its annotations, as tensors and as JSON Schema.

A tensor's datatype and shape follow from the type: `list[float]` is FP64 [-1], `str` is BYTES [1],
`Annotated[NDArray[np.float32], (-1, 4)]` is FP32 [-1, 4], and so is `np.ndarray[tuple[int, Literal[4]],
np.dtype[np.float32]]`. Everything else that pydantic knows, such as a dataclass, travels as JSON: in a tensor, as a
text of JSON in BYTES [1].
"""

import inspect
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, TypeAdapter, WithJsonSchema, create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import DTYPES, TensorSpec, datatype_of

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

SCALARS: Mapping[object, str] = {bool: "BOOL", int: "INT64", float: "FP64", str: "BYTES"}
STREAMS = (Iterator, Generator, AsyncIterator, AsyncGenerator)
DIMENSIONS_MAX = 4


@dataclass(frozen=True, slots=True)
class Value:
    """One argument, or the result. `rank` None means JSON in a text; `is_array` that the function sees numpy's."""

    spec: TensorSpec
    type: Any
    is_array: bool = False
    rank: int | None = None

    def from_tensor(self, array: "Array") -> Any:
        """What the function takes. Raises: ValueError where a text is not JSON."""
        if self.is_array:
            return array
        if self.rank is None:
            return json.loads(str(array.ravel()[0]))
        return array.tolist() if self.rank else array.ravel().tolist()[0]

    def to_tensor(self, given: Any) -> "Array":
        """The tensor of what the function gave, as plain values. Raises: ValueError where they are of another shape."""
        import numpy as np

        if self.rank is None and not self.is_array:
            given = [json.dumps(given)]
        elif self.rank == 0:
            given = [given]
        return np.asarray(given, dtype=DTYPES[self.spec.datatype])


@dataclass(frozen=True, slots=True)
class Signature:
    """`arguments` validates an object of arguments; `result` writes a result, or a piece of it, as plain JSON."""

    takes: tuple[Value, ...]
    gives: Value
    arguments: type[BaseModel]
    result: "TypeAdapter[Any]"
    is_streaming: bool
    is_async: bool


def signature_of(function: Callable[..., Any], where: str) -> Signature:
    """Takes a bound method; `where` is its file and line, for the user. Raises: Unloadable."""
    try:
        hints = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, ValueError) as e:
        raise Unloadable(f"{where}: its annotations cannot be read: {e}") from e
    result = hints.get("return")
    problems = [
        f'"{name}" has no type' if name not in hints else f'"{name}" is one of any number of arguments'
        for name, parameter in parameters.items()
        if name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    problems += [] if result not in (None, type(None)) else ["it does not say what it returns"]
    problems += [] if parameters else ["it takes nothing"]
    if problems:
        how = "Write it like `def predict(self, texts: list[str]) -> list[float]`"
        raise Unloadable(f"{where}: predict cannot be served: {'; '.join(problems)}. {how}")
    is_streaming = get_origin(result) in STREAMS
    if is_streaming:
        result = get_args(result)[0]
    takes = tuple(value_of(name, hints[name], where) for name in parameters)
    gives = value_of("result", result, where)
    if is_streaming and gives.rank == 0:
        gives = Value(TensorSpec("result", gives.spec.datatype, (-1,)), gives.type, rank=1)
    defaults = {n: ... if p.default is p.empty else p.default for n, p in parameters.items()}
    fields: Any = {value.spec.name: (value.type, defaults[value.spec.name]) for value in takes}
    try:
        kind: Any = value_of("result", result, where).type
        config = ConfigDict(extra="forbid", arbitrary_types_allowed=False, strict=False)
        arguments = create_model("Arguments", __config__=config, **fields)
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        arguments.model_json_schema()
        adapter.json_schema(mode="serialization")
    except (PydanticSchemaGenerationError, PydanticUserError) as e:
        raise Unloadable(f"{where}: predict cannot be served: {str(e).splitlines()[0]}") from e
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    return Signature(takes, gives, arguments, adapter, is_streaming, is_async)


def value_of(name: str, type: Any, where: str) -> Value:
    """Raises: Unloadable for an array whose datatype or number of dimensions is not said."""
    array = _array_of(name, type, where)
    if array:
        return array
    depth, inner = 0, type
    while get_origin(inner) in (list, Sequence) and len(get_args(inner)) == 1:
        depth, inner = depth + 1, get_args(inner)[0]
    if inner in SCALARS and depth <= DIMENSIONS_MAX:
        return Value(TensorSpec(name, SCALARS[inner], (-1,) * depth or (1,)), type, rank=depth)
    return Value(TensorSpec(name, "BYTES", (1,)), type)


def _array_of(name: str, type: Any, where: str) -> Value | None:
    """An annotation of numpy's as a value that pydantic can check; None for any other."""
    import numpy as np

    shape: tuple[int, ...] | None = None
    if get_origin(type) is Annotated:
        type, *extra = get_args(type)
        shape = next((tuple(each) for each in extra if isinstance(each, tuple)), None)
    if type is not np.ndarray and get_origin(type) is not np.ndarray:
        return None
    axes, dtype = get_args(type) if get_args(type) else (None, None)
    scalar = get_args(dtype)[0] if get_args(dtype) else None
    datatype = datatype_of(np.dtype(scalar)) if inspect.isclass(scalar) else None
    if shape is None and axes is not None and Ellipsis not in get_args(axes):
        shape = tuple(_size(axis) for axis in get_args(axes))
    if datatype is None or not shape:
        raise Unloadable(
            f'{where}: the array "{name}" does not say its datatype and shape. Write it like '
            "`Annotated[NDArray[np.float32], (-1, 4)]`, where -1 stands for any size"
        )
    spec = TensorSpec(name, datatype, shape)
    checked = Annotated[
        Any,
        PlainValidator(lambda given: _as_array(spec, given)),
        PlainSerializer(lambda array: np.asarray(array).tolist()),
        WithJsonSchema(_array_schema(spec)),
    ]
    return Value(spec, checked, is_array=True)


def _size(axis: Any) -> int:
    return int(get_args(axis)[0]) if get_origin(axis) is Literal else -1


def _as_array(spec: TensorSpec, given: Any) -> "Array":
    """Raises: ValueError where the values are no such array."""
    import numpy as np

    try:
        array = np.asarray(given, dtype=DTYPES[spec.datatype])
    except (TypeError, OverflowError) as e:
        raise ValueError(str(e)) from e
    if array.ndim != len(spec.shape) or any(
        want not in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
    ):
        raise ValueError(f"it has shape {list(array.shape)}, not {list(spec.shape)}")
    return array


def _array_schema(spec: TensorSpec) -> dict[str, Any]:
    kinds = {"BOOL": "boolean", "BYTES": "string"}
    number = "number" if spec.datatype.startswith("FP") else "integer"
    schema: dict[str, Any] = {"type": kinds.get(spec.datatype, number)}
    for size in reversed(spec.shape):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema

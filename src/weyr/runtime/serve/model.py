"""What can a loaded model do? Its inputs and outputs, and one call that is checked on both sides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from weyr.runtime.serve.language import Embedder, Generator
from weyr.runtime.serve.tensor import DTYPES, Malformed, TensorSpec, datatype_of

if TYPE_CHECKING:
    import numpy as np

    from weyr.runtime.serve.tensor import Array


class Unloadable(Exception):
    """The model cannot be served; the text says why, for the user."""


class Predictor(Protocol):
    """A flavour's own model. `predict` is called from threads, possibly from several at once.

    `inputs` and `outputs` are in the order of the metadata; `is_rowwise` says that each row's result does
    not depend on the other rows, so that rows of several callers may be computed together.
    """

    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    is_rowwise: bool

    def warm_up(self) -> None:
        """Makes the first request as fast as the next. Raises: whatever the model raises."""
        ...

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        """Takes checked inputs. Raises: ValueError or TypeError where the values themselves will not do."""
        ...


@runtime_checkable
class Program(Protocol):
    """A class of the user's, whose arguments and results are JSON. Called from threads.

    `takes` is the JSON Schema of the object of arguments, `gives` that of the result, or of each piece of it where
    `is_streaming`.
    """

    takes: Mapping[str, object]
    gives: Mapping[str, object]
    is_streaming: bool

    def call(self, arguments: Mapping[str, object]) -> object:
        """The result as plain JSON values; all pieces as a list where `is_streaming`.

        Raises: Malformed where the arguments do not match `takes`; whatever the class raises.
        """
        ...

    def stream(self, arguments: Mapping[str, object]) -> Iterator[object]:
        """The pieces, one by one, where `is_streaming`. Closing it ends the computing. Raises: as `call`."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model under its name and version. Every model has a predictor; the rest is there where the model can."""

    name: str
    version: str
    predictor: Predictor
    generator: Generator | None = None
    embedder: Embedder | None = None
    program: Program | None = None
    _inputs: Mapping[str, TensorSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_inputs", {spec.name: spec for spec in self.predictor.inputs})

    def metadata(self) -> dict[str, object]:
        """The answer to `GET /v2/models/NAME`."""
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": self.predictor.platform,
            "inputs": [spec.plain() for spec in self.predictor.inputs],
            "outputs": [spec.plain() for spec in self.predictor.outputs],
        }

    def checked(self, inputs: Mapping[str, "Array"]) -> dict[str, "Array"]:
        """The inputs in the model's order and datatypes. Raises: Malformed."""
        known = self._inputs
        if inputs.keys() != known.keys():
            unknown = [name for name in inputs if name not in known]
            if unknown:
                raise Malformed(f'there is no input "{unknown[0]}"; known: {", ".join(known)}')
            missing = [name for name in known if name not in inputs]
            raise Malformed(f'the input "{missing[0]}" is missing')
        fitted = {name: _fitted(spec, inputs[name]) for name, spec in known.items()}
        if (
            len(fitted) > 1
            and self.predictor.is_rowwise
            and len({array.shape[0] for array in fitted.values() if array.ndim}) > 1
        ):
            counts = ", ".join(f'"{name}" has {len(array)}' for name, array in fitted.items())
            raise Malformed(f"the inputs have different numbers of rows: {counts}")
        return fitted

    def wanted(self, outputs: Mapping[str, bool] | None) -> tuple[str, ...]:
        """The names of the outputs to compute: all where none is asked for. Raises: Malformed."""
        known = tuple(spec.name for spec in self.predictor.outputs)
        if outputs is None:
            return known
        unknown = [name for name in outputs if name not in known]
        if unknown:
            raise Malformed(f'there is no output "{unknown[0]}"; known: {", ".join(known)}')
        return tuple(outputs)


@cache
def _dtype(datatype: str) -> "np.dtype[Any]":
    import numpy as np

    return np.dtype(DTYPES[datatype])


def _fitted(spec: TensorSpec, array: "Array") -> "Array":
    """The array in the datatype of `spec`, where that loses nothing; in any other shape it is refused."""
    import numpy as np

    if array.ndim != len(spec.shape) or any(
        want not in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True)
    ):
        raise Malformed(f'"{spec.name}" has shape {list(array.shape)}; the model takes {list(spec.shape)}')
    if not array.size:
        raise Malformed(f'"{spec.name}" is empty')
    dtype = _dtype(spec.datatype)
    if array.dtype == dtype:
        return array
    if "O" in (array.dtype.char, dtype.char) or not np.can_cast(array.dtype, dtype, "safe"):
        raise Malformed(f'"{spec.name}" is {datatype_of(array.dtype)}; the model takes {spec.datatype}')
    return array.astype(dtype)

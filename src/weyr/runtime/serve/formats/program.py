"""How is a Python class of the user's served? `load` once, then `predict` for each request, by its annotations.

The class is named `file.py:Class` or `package.module:Class`, counted from the stack's folder, and is the user's own
code: nobody has to allow it. `load(self, folder)` is called once with the folder of the model's files, where the class
has it. `predict` may be a function, a coroutine, or a generator of either sort, whose pieces are sent as they come.
"""

import asyncio
import importlib
import importlib.util
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from weyr.runtime.serve.formats.signature import Signature, signature_of
from weyr.runtime.serve.model import Unloadable
from weyr.runtime.serve.tensor import Malformed, TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

END = object()


class ClassProgram:
    """A predictor and a program in one. It is called from threads; coroutines run on a loop of their own.

    `is_rowwise` is what the class says of itself by an attribute of that name: only its author can know.
    """

    platform = "python"

    def __init__(self, made: Any, signature: Signature) -> None:
        self._made = made
        self._signature = signature
        self._loop = _running_loop() if signature.is_async else None
        self.is_streaming = signature.is_streaming
        self.takes: Mapping[str, object] = signature.arguments.model_json_schema()
        self.gives: Mapping[str, object] = signature.result.json_schema(mode="serialization")
        self.inputs: tuple[TensorSpec, ...] = tuple(value.spec for value in signature.takes)
        self.outputs: tuple[TensorSpec, ...] = (signature.gives.spec,)
        is_batch = all(spec.shape[:1] == (-1,) for spec in (*self.inputs, *self.outputs))
        self.is_rowwise = bool(getattr(made, "is_rowwise", False)) and is_batch

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        given = {value.spec.name: value.from_tensor(inputs[value.spec.name]) for value in self._signature.takes}
        result = self.call(given)
        return {outputs[0]: self._signature.gives.to_tensor(result)} if outputs else {}

    def warm_up(self) -> None:
        """What the class does with something made up, only its author knows: `load` is where it warms up."""

    def call(self, arguments: Mapping[str, object]) -> object:
        if self.is_streaming:
            return list(self.stream(arguments))
        return self._plain(self._called(arguments))

    def stream(self, arguments: Mapping[str, object]) -> Iterator[object]:
        pieces = self._called(arguments)
        listed = self._over(pieces) if isinstance(pieces, AsyncIterator) else iter(pieces)
        try:
            for piece in listed:
                yield self._plain(piece)
        finally:
            close = getattr(listed, "close", None)
            if close:
                close()

    def _called(self, arguments: Mapping[str, object]) -> Any:
        """What `predict` gives for checked arguments. Raises: Malformed."""
        try:
            checked = self._signature.arguments.model_validate(dict(arguments))
        except ValidationError as e:
            problems = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in e.errors()]
            raise Malformed("; ".join(problems)) from e
        given = {name: getattr(checked, name) for name in type(checked).model_fields}
        result = self._made.predict(**given)
        return self._awaited(result) if inspect.iscoroutine(result) else result

    def _plain(self, given: Any) -> object:
        return self._signature.result.dump_python(given, mode="json", warnings="error")

    def _awaited(self, coroutine: Any) -> Any:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _over(self, pieces: Any) -> Iterator[Any]:
        try:
            while (piece := self._awaited(_next(pieces))) is not END:
                yield piece
        finally:
            self._awaited(pieces.aclose())


def class_program(name: str, base: Path, folder: Path | None) -> ClassProgram:
    """Takes `base`, the stack's folder, and `folder`, the model's files where it has any. Raises: Unloadable."""
    place, _, class_name = name.partition(":")
    if not place or not class_name.isidentifier():
        raise Unloadable(f'"{name}" names no class; write file.py:Class or package.module:Class')
    found = _class_in(place, class_name, base)
    if not callable(getattr(found, "predict", None)):
        raise Unloadable(f"{place}: the class {class_name} has no predict")
    try:
        made = found()
    except TypeError as e:
        raise Unloadable(f"{place}: {class_name}() cannot be made without arguments: {e}") from e
    line = inspect.getsourcelines(found.predict)[1]
    signature = signature_of(made.predict, f"{place}:{line}")
    if hasattr(made, "load"):
        _load(made, folder, place)
    return ClassProgram(made, signature)


def _class_in(place: str, class_name: str, base: Path) -> Any:
    found = getattr(_module(place, base), class_name, None)
    if not inspect.isclass(found):
        raise Unloadable(f'there is no class "{class_name}" in {place}')
    return found


def _module(place: str, base: Path) -> Any:
    """The module, importable with what lies beside it. Raises: Unloadable; whatever the module raises."""
    if str(base) not in sys.path:
        sys.path.insert(0, str(base))
    if not place.endswith(".py"):
        if importlib.util.find_spec(place.partition(".")[0]) is None:
            raise Unloadable(f"there is no module {place} in {base}")
        return importlib.import_module(place)
    path = (base / place).resolve()
    if not path.is_file():
        raise Unloadable(f"there is no file {place} in {base}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles look their module up by its name.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _load(made: Any, folder: Path | None, place: str) -> None:
    takes = len(inspect.signature(made.load).parameters)
    if takes > 1:
        raise Unloadable(f"{place}: load takes {takes} arguments; it gets the folder of the model's files, or nothing")
    given = made.load(folder) if takes else made.load()
    if inspect.iscoroutine(given):
        asyncio.run(given)


def _running_loop() -> asyncio.AbstractEventLoop:
    """A loop on a thread of its own, which does not keep the process alive."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="program", daemon=True).start()
    return loop


async def _next(pieces: Any) -> Any:
    return await anext(pieces, END)

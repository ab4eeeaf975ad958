"""What do callers without a client library ask? JSON in, JSON out: the V1 protocol, and plain JSON at /predict.

Source: TensorFlow Serving's REST API (predict) and KServe's V1 protocol (2025-11).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.desk import Asked, Desk, Given, Unserved, plain_body
from weyr.runtime.serve.feed import fed
from weyr.runtime.serve.infer import parse, parsed
from weyr.runtime.serve.model import Model, Program
from weyr.runtime.serve.oip import not_found, only
from weyr.runtime.serve.rows import V1_FORMS, by_input, by_row, is_one_row, told_by_input, told_by_row
from weyr.runtime.serve.shelf import Slot, Stage
from weyr.runtime.serve.tensor import Malformed
from weyr.wire.message import ENCODER, Request, Response, Streamed, answer, refusal
from weyr.wire.server import Answer

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array


def v1_status(slot: Slot) -> dict[str, object]:
    """A model as KServe's V1 and TensorFlow Serving tell its state, in one object."""
    state = "AVAILABLE" if slot.stage is Stage.READY else "LOADING" if slot.stage is Stage.LOADING else "UNLOADING"
    error = {"error_code": "OK", "error_message": slot.reason}
    status = {"version": slot.source.version, "state": state, "status": error}
    return {"name": slot.source.name, "ready": slot.stage is Stage.READY, "model_version_status": [status]}


class Plain:
    """Answers V1's `NAME:predict`, and `POST /predict` and `POST /`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def v1(self, request: Request, words: list[str]) -> Given:
        """Takes the words of the path after "v1/models"."""
        name, _, verb = words[-1].partition(":")
        version = ""
        match words[:-1]:
            case []:
                pass
            case [named, "versions"]:
                name, version = named, name
            case _:
                return refusal(404, "a model of the V1 protocol is at /v1/models/NAME and /v1/models/NAME:predict")
        slot = self._desk.shelf.find(name, version)
        if slot is None:
            return not_found(self._desk, name, version)
        if verb != "predict":
            return refusal(404, f'a model of the V1 protocol has no "{verb}"; it has predict')
        return self._desk.compute(slot, request, read_v1) if request.method == b"POST" else only("POST")

    def predict(self, request: Request, words: list[str]) -> Given:
        """`/predict/NAME`, or `/predict` where only one model is served."""
        if request.method != b"POST":
            return only("POST")
        slot = self._desk.shelf.find(words[0]) if words else self._desk.only
        if slot is None:
            names = ", ".join(self._desk.shelf.slots)
            return (
                not_found(self._desk, words[0], "") if words else refusal(404, f"say which: /predict/NAME of {names}")
            )
        if slot.model is not None and slot.model.program is None:
            return self._desk.compute(slot, request, read_plain)
        if not self._desk.is_filled:
            return refusal(503, "the model is being loaded", (b"retry-after", b"1"))
        return asyncio.ensure_future(self._predict_later(slot, request))

    async def _predict_later(self, slot: Slot, request: Request) -> Answer:
        try:
            model = await self._desk.loaded(slot)
            if model.program is None:
                given = self._desk.compute(slot, request, read_plain)
                return given if isinstance(given, Response) else await given
            return await self._call(slot, model.program, parsed(memoryview(plain_body(request))))
        except Unserved as e:
            return e.response
        except Malformed as e:
            return refusal(400, str(e))
        except Exception as e:  # noqa: BLE001 - a user's class may raise anything; it must not end the server
            return refusal(500, f"the model failed: {type(e).__name__}: {e}")

    async def _call(self, slot: Slot, program: Program, arguments: Mapping[str, object]) -> Answer:
        self._desk.require_place(slot)
        if program.is_streaming:
            pieces = self._pieces(slot, program, arguments)
            # What is wrong with the arguments comes with the first piece, while the status can still say so.
            first = await anext(pieces, b"")
            return Streamed(_after(first, pieces), content_type=b"application/x-ndjson")
        slot.streams += 1
        try:
            given = await asyncio.get_running_loop().run_in_executor(slot.calls, program.call, arguments)
        finally:
            slot.streams -= 1
        return answer(given)

    async def _pieces(
        self, slot: Slot, program: Program, arguments: Mapping[str, object]
    ) -> AsyncGenerator[bytes, None]:
        """Each piece as a line of JSON."""
        assert slot.calls is not None
        slot.streams += 1
        try:
            async with aclosing(fed(slot.calls, lambda: program.stream(arguments))) as lists:
                async for pieces in lists:
                    yield b"".join(ENCODER.encode(piece).encode() + b"\n" for piece in pieces)
        finally:
            slot.streams -= 1


async def _after(first: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        try:
            if first:
                yield first
            async for piece in pieces:
                yield piece
        except Exception as e:  # noqa: BLE001 - the head is sent, so that the error can only follow as a piece
            yield json.dumps({"error": f"the model failed: {type(e).__name__}: {e}"}).encode() + b"\n"


def read_v1(model: Model, request: Request, body: bytes) -> Asked:
    """`{"instances": rows}` or `{"inputs": by input}`. Raises: Malformed."""
    plain = parsed(memoryview(body))
    signature = plain.get("signature_name", "serving_default")
    if unknown := sorted(set(plain) - {*V1_FORMS, "signature_name"}):
        raise Malformed(f'"{unknown[0]}" is not known; there are instances and inputs')
    if signature != "serving_default":
        raise Malformed('the only signature is "serving_default"')
    if ("instances" in plain) == ("inputs" in plain):
        raise Malformed('either "instances", a list of rows, or "inputs" is asked for')
    specs = model.predictor.inputs
    if "instances" in plain:
        return _asked(model, by_row(specs, plain["instances"]), _predictions)
    return _asked(model, by_input(specs, plain["inputs"]), _outputs)


def read_plain(model: Model, request: Request, body: bytes) -> Asked:
    """A list of rows, an object of inputs, or an object that is one row; or, where no input has that name, the V1
    protocol's `instances` or `inputs`, which callers of Vertex AI, TensorFlow Serving and MLflow send. Raises:
    Malformed."""
    specs = model.predictor.inputs
    plain = parse(memoryview(body))
    if isinstance(plain, list):
        return _asked(model, by_row(specs, plain), _rows)
    if not isinstance(plain, dict):
        raise Malformed("the body is a list of rows or an object of inputs")
    if not plain.keys().isdisjoint(V1_FORMS) and all(spec.name not in V1_FORMS for spec in specs):
        return read_v1(model, request, body)
    if is_one_row(specs, plain):
        return _asked(model, by_row(specs, [plain]), _one_row)
    return _asked(model, by_input(specs, plain), _inputs)


def _asked(model: Model, inputs: "Mapping[str, Array]", tell: Any) -> Asked:
    return Asked(model.checked(inputs), model.wanted(None), partial(_told, tell))


def _told(tell: Any, outputs: "Mapping[str, Array]") -> Response:
    return answer(tell(outputs))


def _predictions(outputs: "Mapping[str, Array]") -> dict[str, Any]:
    return {"predictions": told_by_row(outputs)}


def _outputs(outputs: "Mapping[str, Array]") -> dict[str, Any]:
    told = told_by_input(outputs)
    return {"outputs": next(iter(told.values())) if len(told) == 1 else told}


def _rows(outputs: "Mapping[str, Array]") -> list[Any]:
    return told_by_row(outputs)


def _inputs(outputs: "Mapping[str, Array]") -> dict[str, Any]:
    return told_by_input(outputs)


def _one_row(outputs: "Mapping[str, Array]") -> dict[str, Any]:
    return {name: value[0] for name, value in told_by_input(outputs).items()}

"""What does the Open Inference Protocol v2 over HTTP ask, and what is the answer? Also Triton's repository extension.

Source: the protocol's specification at https://github.com/kserve/open-inference-protocol (2025-11), and the extensions
model_repository, model_configuration and statistics at https://github.com/triton-inference-server/server (2025-11).
"""

import asyncio
from functools import partial

from weyr.runtime.serve.desk import Asked, Desk, Given, Unserved
from weyr.runtime.serve.infer import HEADER_LENGTH, parsed, read_infer, write_infer
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import Slot, index
from weyr.runtime.serve.tensor import Malformed
from weyr.runtime.serve.triton import config, statistics
from weyr.wire.message import Request, Response, answer, refusal

SERVER = {
    "name": "weyr",
    "version": "2",
    "extensions": ["binary_tensor_data", "model_repository", "model_configuration", "statistics"],
}
ABSENT = {
    "systemsharedmemory": "shared memory is not offered; send the tensors",
    "cudasharedmemory": "shared memory is not offered; send the tensors",
    "logging": "log settings are not offered; `weyr logs` shows the log",
    "trace": "trace settings are not offered; traces follow the caller's traceparent",
}


class Oip:
    """Answers everything below /v2."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __call__(self, request: Request, words: list[str]) -> Given:
        """Takes the words of the path after "v2"."""
        match words:
            case ["models", name, *rest] if rest[-1:] == ["infer"]:
                return self._infer(request, name, rest[:-1])
            case ["repository", *rest]:
                return self._repository(request, rest) if request.method == b"POST" else only("POST")
            case [first, *_] if first in ABSENT:
                return refusal(501, ABSENT[first])
            case [*_, "trace", "setting"]:
                return refusal(501, ABSENT["trace"])
        if request.method not in (b"GET", b"HEAD"):
            return only("GET")
        match words:
            case []:
                return answer(SERVER)
            case ["health", "live"]:
                return answer({"live": True})
            case ["health", "ready"]:
                return self._desk.not_ready() or answer({"ready": True})
            case ["models", "stats"]:
                return answer({"model_stats": [statistics(slot) for slot in self._desk.shelf.all]})
            case ["models", name, *rest]:
                return self._model(name, rest)
            case _:
                return refusal(404, "there is nothing here; ask for /v2, /v2/health/ready or /v2/models/NAME")

    def _model(self, name: str, rest: list[str]) -> Given:
        slot, rest = self._named(name, rest)
        if isinstance(slot, Response):
            return slot
        match rest:
            case ["ready"]:
                return self._desk.not_ready(slot) or answer({"ready": True, "name": name})
            case ["stats"]:
                return answer({"model_stats": [statistics(slot)]})
            case [] | ["config"]:
                tell = config if rest else Model.metadata
                if slot.model is None:
                    return self._told_later(slot, bool(rest))
                return answer(tell(slot.model))
            case _:
                return refusal(404, f'a model has no "{"/".join(rest)}"; it has ready, infer, config and stats')

    def _told_later(self, slot: Slot, is_config: bool) -> Given:
        """What a model takes is known once it is loaded."""
        if not self._desk.is_filled:
            return refusal(503, "the model is being loaded", (b"retry-after", b"1"))

        async def told() -> Response:
            try:
                model = await self._desk.loaded(slot)
            except Unserved as e:
                return e.response
            return answer(config(model) if is_config else model.metadata())

        return asyncio.ensure_future(told())

    def _infer(self, request: Request, name: str, rest: list[str]) -> Given:
        if request.method != b"POST":
            return only("POST")
        slot, rest = self._named(name, rest)
        if isinstance(slot, Response):
            return slot
        return refusal(404, "POST /v2/models/NAME/infer") if rest else self._desk.compute(slot, request, read)

    def _named(self, name: str, rest: list[str]) -> tuple[Slot | Response, list[str]]:
        """Which model `NAME` or `NAME/versions/VERSION` is, and what follows it."""
        version = ""
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        slot = self._desk.shelf.find(name, version)
        return slot or not_found(self._desk, name, version), rest

    def _repository(self, request: Request, words: list[str]) -> Given:
        try:
            plain = parsed(memoryview(request.body)) if request.body else {}
            if words == ["index"]:
                return answer(index(self._desk.shelf.all, _is_ready_only(plain)))
            match words:
                case ["models", name, "load" | "unload" as verb]:
                    _check_parameters(plain, verb)
                    versions = list(self._desk.shelf.slots.get(name, {}).values())
                    if not versions:
                        return not_found(self._desk, name, "")
                    return asyncio.ensure_future(self._load(versions)) if verb == "load" else self._unload(versions)
        except Malformed as e:
            return refusal(400, str(e))
        return refusal(404, "a repository has index, models/NAME/load and models/NAME/unload")

    async def _load(self, versions: list[Slot]) -> Response:
        try:
            for slot in versions:
                await self._desk.loaded(slot)
        except Unserved as e:
            return e.response
        return answer({})

    def _unload(self, versions: list[Slot]) -> Response:
        # All of them are tried, whatever the first says.
        unloaded = [self._desk.shelf.unload(slot) for slot in versions]
        if not all(unloaded):
            return refusal(409, "the model is in use; ask again when its requests have ended", (b"retry-after", b"1"))
        return answer({})


def read(model: Model, request: Request, body: bytes) -> Asked:
    """An inference request as the model takes it. Raises: Malformed."""
    asked = read_infer(body, request.headers.get(HEADER_LENGTH))
    inputs, wanted = model.checked(asked.inputs), model.wanted(asked.outputs)
    return Asked(inputs, wanted, partial(write_infer, asked, model.name, model.version), asked.timeout_s)


def not_found(desk: Desk, name: str, version: str) -> Response:
    versions = desk.shelf.slots.get(name)
    if versions:
        there = f"version {', '.join(versions)} is"
        return refusal(404, f"version {version} of {name} is not served here; {there}")
    return refusal(404, f'model "{name}" is not served here; "{", ".join(desk.shelf.slots)}" is')


def only(method: str) -> Response:
    return refusal(405, f"this takes {method} only", (b"allow", method.encode()))


def _is_ready_only(plain: dict[str, object]) -> bool:
    ready = plain.get("ready", False)
    if type(ready) is not bool:
        raise Malformed('"ready" is neither true nor false')
    return ready


def _check_parameters(plain: dict[str, object], verb: str) -> None:
    """Triton lets a caller bring another configuration, or the model's very files; neither is the caller's to say."""
    parameters = plain.get("parameters", {})
    if not isinstance(parameters, dict):
        raise Malformed('"parameters" is not an object')
    # Ensembles, whose parts this is about, are not there: a model has no dependents, and both answers are the same.
    known = {"unload_dependents"} if verb == "unload" else set()
    if unknown := sorted(set(parameters) - known):
        raise Malformed(f'the parameter "{unknown[0]}" cannot be honoured: models come from their registry as they are')

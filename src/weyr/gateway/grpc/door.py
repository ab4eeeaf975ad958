"""What does the gRPC service answer? What the same question over HTTP is answered, by the plane or by one replica.

So there is one way to a model: who may call, limits, routing, queues and metrics are the plane's for both protocols.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import unquote

from weyr.gateway.grpc.endpoints import ENDPOINT, Endpoints
from weyr.gateway.grpc.messages import SERVICE, classes
from weyr.gateway.grpc.translate import (
    HEADER_LENGTH,
    Malformed,
    Untranslatable,
    config_answer,
    infer_answer,
    infer_body,
    model_path,
)
from weyr.gateway.grpc.upstream import Gone, Reply, Upstream

CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 409: "FAILED_PRECONDITION", 413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
CALLS = (
    "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelConfig", "ModelStatistics",
    "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload", "ModelInfer",
)  # fmt: skip
ABSENT = (
    "SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister",
    "CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister", "TraceSetting", "LogSettings",
)  # fmt: skip
FORWARDED = "x-forwarded-for"
OWN = ("content-length", "host", "user-agent", "te", "connection", "transfer-encoding", "expect", "upgrade", ENDPOINT)
"""Metadata that is not the caller's to pass on: it would be read as HTTP's own."""


class Failed(Exception):
    """A call that ends with a status of gRPC's, by its name."""

    def __init__(self, code: str, message: str, headers: Mapping[bytes, bytes] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}


class Door:
    """The service. `endpoints` says which one is meant; a replica has none."""

    def __init__(self, upstream: Upstream, endpoints: Endpoints | None = None) -> None:
        self._upstream = upstream
        self._endpoints = endpoints
        self._classes = classes()

    def handlers(self) -> Any:
        """The service as grpc takes it."""
        import grpc

        unary = {name: getattr(self, f"_{name}") for name in CALLS}
        # Requests come as bytes: what is no message is then the caller's mistake, not the server's.
        methods = {name: grpc.unary_unary_rpc_method_handler(_told(self, name, do)) for name, do in unary.items()}
        methods |= {name: grpc.unary_unary_rpc_method_handler(_told(self, name, _absent)) for name in ABSENT}
        methods["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self.stream)
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _ServerLive(self, message: Any, metadata: Mapping[str, str]) -> Any:
        return self._made("ServerLiveResponse", live=(await self._get("/v2/health/live", metadata)).status == 200)

    async def _ServerReady(self, message: Any, metadata: Mapping[str, str]) -> Any:
        reply = await self._send("GET", "/v2/health/ready", metadata)
        if reply.status not in (200, 503):
            raise _failed(reply)
        return self._made("ServerReadyResponse", ready=reply.status == 200)

    async def _ModelReady(self, message: Any, metadata: Mapping[str, str]) -> Any:
        reply = await self._send("GET", model_path(message.name, message.version, "ready"), metadata)
        if reply.status not in (200, 404, 503):
            raise _failed(reply)
        return self._made("ModelReadyResponse", ready=reply.status == 200)

    async def _ServerMetadata(self, message: Any, metadata: Mapping[str, str]) -> Any:
        return self._parsed("ServerMetadataResponse", (await self._get("/v2", metadata)).body)

    async def _ModelMetadata(self, message: Any, metadata: Mapping[str, str]) -> Any:
        reply = await self._get(model_path(message.name, message.version), metadata)
        return self._parsed("ModelMetadataResponse", reply.body)

    async def _ModelConfig(self, message: Any, metadata: Mapping[str, str]) -> Any:
        reply = await self._get(model_path(message.name, message.version, "config"), metadata)
        return self._parsed("ModelConfigResponse", json.dumps(config_answer(reply.body)).encode())

    async def _ModelStatistics(self, message: Any, metadata: Mapping[str, str]) -> Any:
        path = model_path(message.name, message.version, "stats") if message.name else "/v2/models/stats"
        return self._parsed("ModelStatisticsResponse", (await self._get(path, metadata)).body)

    async def _RepositoryIndex(self, message: Any, metadata: Mapping[str, str]) -> Any:
        reply = await self._post("/v2/repository/index", metadata, json.dumps({"ready": message.ready}).encode())
        return self._parsed("RepositoryIndexResponse", b'{"models":%b}' % reply.body)

    async def _RepositoryModelLoad(self, message: Any, metadata: Mapping[str, str]) -> Any:
        return await self._moved(message, metadata, "load", "RepositoryModelLoadResponse")

    async def _RepositoryModelUnload(self, message: Any, metadata: Mapping[str, str]) -> Any:
        return await self._moved(message, metadata, "unload", "RepositoryModelUnloadResponse")

    async def _ModelInfer(self, message: Any, metadata: Mapping[str, str]) -> Any:
        head, raw = infer_body(message)
        path = model_path(message.model_name, message.model_version, "infer")
        length = f"{HEADER_LENGTH.decode()}: {len(head)}\r\ncontent-type: application/octet-stream\r\n"
        reply = await self._post(path, metadata, head + raw, length)
        return infer_answer(self._classes, reply.headers, reply.body)

    async def stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Triton's stream: each request has an answer or an error message, in their order."""
        metadata = _metadata(context)
        async for request in requests:
            try:
                message = self._read("ModelInferRequest", request)
                answer = self._made(
                    "ModelStreamInferResponse", infer_response=await self._ModelInfer(message, metadata)
                )
            except (Malformed, Untranslatable, Gone, Failed) as e:
                answer = self._made("ModelStreamInferResponse", error_message=str(e))
            yield answer.SerializeToString()

    async def _moved(self, message: Any, metadata: Mapping[str, str], verb: str, answer: str) -> Any:
        parameters = dict.fromkeys(message.parameters, True)
        body = json.dumps({"parameters": parameters}).encode()
        path = f"{model_path(message.model_name, '').replace('/v2/', '/v2/repository/', 1)}/{verb}"
        await self._post(path, metadata, body)
        return self._made(answer)

    async def _get(self, path: str, metadata: Mapping[str, str]) -> Reply:
        reply = await self._send("GET", path, metadata)
        if reply.status != 200:
            raise _failed(reply)
        return reply

    async def _post(self, path: str, metadata: Mapping[str, str], body: bytes, more: str = "") -> Reply:
        reply = await self._send("POST", path, metadata, body, more)
        if reply.status != 200:
            raise _failed(reply)
        return reply

    async def _send(
        self, method: str, path: str, metadata: Mapping[str, str], body: bytes = b"", more: str = ""
    ) -> Reply:
        """Raises: Gone, Malformed, Failed where the endpoint is not asked over gRPC."""
        at = path
        if self._endpoints:
            try:
                at = f"/{self._endpoints.named(metadata.get(ENDPOINT, ''))}{path}"
            except LookupError as e:
                raise Failed("NOT_FOUND", str(e.args[0])) from e
        passed = "".join(f"{name}: {value}\r\n" for name, value in metadata.items() if name not in OWN)
        head = f"{method} {at} HTTP/1.1\r\nhost: grpc\r\ncontent-length: {len(body)}\r\n{passed}{more}\r\n"
        return await self._upstream.ask(head.encode("latin-1", "replace") + body)

    def _read(self, name: str, request: bytes) -> Any:
        """Raises: Malformed."""
        from google.protobuf.message import DecodeError

        try:
            return self._classes[name].FromString(request)
        except DecodeError as e:
            raise Malformed(f"the request is not a {name}") from e

    def _made(self, name: str, **fields: Any) -> Any:
        return self._classes[name](**fields)

    def _parsed(self, name: str, body: bytes) -> Any:
        """A message from JSON that has the same names. Raises: Untranslatable."""
        from google.protobuf import json_format

        try:
            return json_format.Parse(body, self._classes[name](), ignore_unknown_fields=True)
        except json_format.ParseError as e:
            raise Untranslatable(f"the answer is no {name}: {e}") from e


def _told(door: Door, name: str, do: Any) -> Any:
    """A call as grpc makes it: bytes in, bytes out, and every failure a status."""

    async def told(request: bytes, context: Any) -> bytes:
        import grpc

        metadata = _metadata(context)
        try:
            message = None if do is _absent else door._read(f"{name}Request", request)
            answer = await do(message, metadata)
        except Malformed as e:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(e))
        except Untranslatable as e:
            await context.abort(grpc.StatusCode.INTERNAL, str(e))
        except Gone as e:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(e))
        except Failed as e:
            again = e.headers.get(b"retry-after")
            trailing = (("retry-after", again.decode("latin-1")),) if again else ()
            await context.abort(grpc.StatusCode[e.code], str(e), trailing)
        return bytes(answer.SerializeToString())

    return told


async def _absent(message: Any, metadata: Mapping[str, str]) -> Any:
    raise Failed("UNIMPLEMENTED", "shared memory, trace and log settings are not offered")


def _metadata(context: Any) -> dict[str, str]:
    """The caller's own, as text, and where he is; binary metadata and gRPC's is left out."""
    told = {
        name: value
        for name, value in context.invocation_metadata()
        if isinstance(value, str) and not name.startswith("grpc-") and "\r" not in value and "\n" not in value
    }
    before = f"{told[FORWARDED]}, " if FORWARDED in told else ""
    return {**told, FORWARDED: f"{before}{_address(context.peer())}"}


def _address(peer: str) -> str:
    """`ipv4:10.0.0.7:5000` as an address; who comes over a Unix socket is on this machine."""
    sort, _, where = unquote(peer).partition(":")
    return where.rpartition(":")[0] if sort in ("ipv4", "ipv6") else "127.0.0.1"


def _failed(reply: Reply) -> Failed:
    try:
        plain = json.loads(reply.body)["error"]
        message = plain if isinstance(plain, str) else json.dumps(plain)
    except (ValueError, KeyError, TypeError):
        message = reply.body[:200].decode(errors="replace")
    return Failed(CODES.get(reply.status, "INTERNAL" if reply.status >= 500 else "UNKNOWN"), message, reply.headers)

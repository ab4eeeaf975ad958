"""What does the model server answer? The Open Inference Protocol v2 over HTTP.

Source: the protocol's specification at https://github.com/kserve/open-inference-protocol (2025-11).
"""

import asyncio
import zlib
from dataclasses import dataclass, field

from weyr.runtime.serve.batch import Batcher
from weyr.runtime.serve.infer import HEADER_LENGTH, InferRequest, read_infer, write_infer
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import Malformed
from weyr.wire.message import TEXT, Request, Response, answer, refusal

INLINE_MAX = 128 * 2**10
"""Bodies up to this size are read on the loop; larger ones in a thread, so that health checks are not kept waiting."""

INFLATED_MAX = 256 * 2**20
SERVER = {"name": "weyr", "version": "2", "extensions": ["binary_tensor_data"]}


@dataclass(slots=True)
class App:
    """The handler of the server's socket. `model` is None until it is loaded and warm."""

    name: str
    version: str
    model: Model | None = None
    batcher: Batcher | None = None
    is_draining: bool = False
    statuses: dict[int, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> Response | asyncio.Future[Response]:
        """Never raises."""
        given = self._answer(request)
        if isinstance(given, Response):
            self._count(given)
        else:
            given.add_done_callback(self._count_later)
        return given

    def _answer(self, request: Request) -> Response | asyncio.Future[Response]:
        words = request.path.decode("latin-1").strip("/").split("/")
        if words[-1] == "infer":
            return self._infer(request) if request.method == b"POST" else _only("POST")
        if request.method not in (b"GET", b"HEAD"):
            return _only("GET")
        match words:
            case ["metrics"]:
                return Response(200, self._metrics().encode(), TEXT)
            case ["v2"]:
                return answer(SERVER)
            case ["v2", "health", "live"]:
                return answer({"live": True})
            case ["v2", "health", "ready"]:
                return self._readiness("the server")
            case ["v2", "models", *rest]:
                return self._model(rest)
            case _:
                return refusal(404, "there is nothing here; ask for /v2, /v2/health/ready or /v2/models/NAME")

    def _model(self, words: list[str]) -> Response:
        problem, rest = self._named(words)
        if problem:
            return problem
        if rest == ["ready"]:
            return self._readiness(f"model {self.name}")
        if rest:
            return refusal(404, f'a model has no "{"/".join(rest)}"; it has ready and infer')
        return answer(self.model.metadata()) if self.model else _loading()

    def _infer(self, request: Request) -> Response | asyncio.Future[Response]:
        words = request.path.decode("latin-1").strip("/").split("/")
        if words[:2] != ["v2", "models"]:
            return refusal(404, "infer belongs to a model: POST /v2/models/NAME/infer")
        problem, rest = self._named(words[2:])
        if problem or rest != ["infer"]:
            return problem or refusal(404, "POST /v2/models/NAME/infer")
        if self.model is None or self.batcher is None:
            return _loading()
        if len(request.body) > INLINE_MAX or b"content-encoding" in request.headers:
            return asyncio.get_running_loop().create_task(self._infer_large(request))
        try:
            return self._submit(_read(request))
        except Malformed as e:
            return refusal(400, str(e))

    async def _infer_large(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        try:
            asked = await loop.run_in_executor(None, _read, request)
            given = self._submit(asked)
        except Malformed as e:
            return refusal(400, str(e))
        return given if isinstance(given, Response) else await given

    def _submit(self, asked: InferRequest) -> Response | asyncio.Future[Response]:
        assert self.model is not None
        assert self.batcher is not None
        inputs = self.model.checked(asked.inputs)
        wanted = self.model.wanted(asked.outputs)
        return self.batcher.submit(inputs, wanted, lambda given: write_infer(asked, self.name, self.version, given))

    def _named(self, words: list[str]) -> tuple[Response | None, list[str]]:
        """Whether `NAME` or `NAME/versions/VERSION` is what is served here, and what follows it."""
        match words:
            case [name, "versions", version, *rest] if name == self.name and version == self.version:
                return None, rest
            case [name, "versions", version, *_] if name == self.name:
                return refusal(404, f"version {version} of {name} is not served here; version {self.version} is"), []
            case [name, *rest] if name == self.name:
                return None, rest
            case [name, *_]:
                return refusal(404, f'model "{name}" is not served here; "{self.name}" is'), []
            case _:
                return refusal(404, f"say which model: /v2/models/{self.name}"), []

    def _readiness(self, what: str) -> Response:
        if self.is_draining:
            return refusal(503, f"{what} is ending")
        return answer({"ready": True}) if self.model else _loading()

    def _count_later(self, done: asyncio.Future[Response]) -> None:
        if not done.cancelled() and not done.exception():
            self._count(done.result())

    def _count(self, response: Response) -> None:
        self.statuses[response.status] = self.statuses.get(response.status, 0) + 1

    def _metrics(self) -> str:
        lines = ["# HELP weyr_replica_requests_total Requests answered, by status."]
        lines.append("# TYPE weyr_replica_requests_total counter")
        for status, count in sorted(self.statuses.items()):
            lines.append(f'weyr_replica_requests_total{{status="{status}"}} {count}')
        counts = self.batcher.counts if self.batcher else None
        for name, value, text in (
            ("ready", int(self.model is not None), "1 once the model is loaded and warm."),
            ("calls_total", counts.calls if counts else 0, "Calls of the model."),
            ("rows_total", counts.rows if counts else 0, "Rows computed."),
            ("batched_calls_total", counts.batched if counts else 0, "Calls that served several requests."),
            ("failures_total", counts.failures if counts else 0, "Requests that the model failed."),
        ):
            kind = "counter" if name.endswith("_total") else "gauge"
            head = f"# HELP weyr_replica_{name} {text}\n# TYPE weyr_replica_{name} {kind}"
            lines.append(f"{head}\nweyr_replica_{name} {value}")
        return "\n".join(lines) + "\n"


def _read(request: Request) -> InferRequest:
    encoding = request.headers.get(b"content-encoding", b"identity").lower()
    body = request.body if encoding == b"identity" else _inflated(request.body, encoding)
    return read_infer(body, request.headers.get(HEADER_LENGTH))


def _inflated(body: bytes, encoding: bytes) -> bytes:
    """Raises: Malformed, also for a small body that would become a huge one."""
    if encoding not in (b"gzip", b"deflate"):
        raise Malformed("the content encoding is not known; gzip and deflate are")
    inflater = zlib.decompressobj(wbits=31 if encoding == b"gzip" else 15)
    try:
        inflated = inflater.decompress(body, INFLATED_MAX)
    except zlib.error as e:
        raise Malformed(f"the body is not {encoding.decode()}: {e}") from e
    if inflater.unconsumed_tail or not inflater.eof:
        raise Malformed(f"the body is cut short, or larger than {INFLATED_MAX} bytes")
    return inflated


def _loading() -> Response:
    return refusal(503, "the model is being loaded", (b"retry-after", b"1"))


def _only(method: str) -> Response:
    return refusal(405, f"this takes {method} only", (b"allow", method.encode()))

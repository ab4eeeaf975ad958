"""Can one caller harm another? Malformed, huge, deep, slow and strange requests, each beside one to be answered."""

import gzip
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from socket import create_connection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inference_plane import until
from language_models import hashes, parrot
from served_models import Identity, ask, raw, served

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import TensorSpec

BODY_MAX = 2**20
ECHO = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}]}
INFER = "/v2/models/echo/infer"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    names = Identity((TensorSpec("x", "BYTES", (-1,)),), (TensorSpec("y", "BYTES", (-1,)),))
    models = [Model("echo", "1", Identity()), Model("names", "1", names), parrot()[0], hashes()]
    with served(models, body_max=BODY_MAX) as port:
        yield port


def is_well(port: int) -> bool:
    """Whether somebody else is answered, rightly."""
    status, body = ask(port, INFER, json.dumps(ECHO).encode())
    return status == 200 and json.loads(body)["outputs"][0]["data"] == [1.0, 2.0]


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


HOSTILE: dict[str, tuple[bytes, int]] = {
    "a bomb in a bomb": (post(INFER, gzip.compress(gzip.compress(bytes(2**24))), "Content-Encoding: gzip"), 400),
    "a body cut short": (post(INFER, zlib.compress(b"{}" * 99)[:-5], "Content-Encoding: deflate"), 400),
    "a body that is too large": (post(INFER, bytes(BODY_MAX + 1)), 413),
    "a length that is too large": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
    "a negative length": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a length and chunks": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a flood of headers": (b"GET /v2 HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(20_000)), 431),
    "a header that never ends": (b"GET /v2 HTTP/1.1\r\nx: " + b"y" * 200_000, 431),
    "a path that never ends": (b"GET /" + b"a" * 200_000, 431),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "deep nesting": (post(INFER, b'{"inputs":' + b"[" * 300_000), 400),
    "deep objects": (post("/predict/echo", b'{"x":' * 100_000), 400),
    "deep chat": (post("/v1/chat/completions", b'{"messages":' + b"[" * 300_000), 400),
    "a shape of gigabytes": (
        post(INFER, b'{"inputs":[{"name":"x","shape":[2147483648,1],"datatype":"FP32","data":[1]}]}'), 400),
    "a shape beyond arithmetic": (
        post(INFER, b'{"inputs":[{"name":"x","shape":[9999999999,9999999999],"datatype":"FP32","data":[1]}]}'), 400),
    "a number of many digits": (post(INFER, json.dumps(ECHO).encode().replace(b"1.0", b"1" * 100_000)), 400),
    "NaN": (post(INFER, json.dumps(ECHO).encode().replace(b"1.0", b"NaN")), 400),
    "half a surrogate": (
        post("/v2/models/names/infer", b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["\\ud800"]}],'
             b'"parameters":{"binary_data_output":true}}'), 400),
    "a name of any byte": (b"GET /v2/models/%00%ff%F0/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    "a path upwards": (b"GET /v2/models/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
    "a method that nobody knows": (b"BREW /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "an upgrade": (b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 501),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_request_has_its_status_and_harms_nobody(port: int, case: str) -> None:
    """The caller is told, in words; the next caller notices nothing."""
    sent, status = HOSTILE[case]
    head, _, body = raw(port, sent).partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode(), (head, body)
    assert json.loads(body)["error"]
    assert is_well(port)


def test_a_bomb_of_gzip_is_not_unpacked(port: int) -> None:
    """A body of 300 KB that would become 300 MB is given up at the bound, in a thread."""
    packer = zlib.compressobj(1, wbits=31)
    zeros = bytes(2**20)
    bomb = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(raw, port, post(INFER, bomb, "Content-Encoding: gzip"))
        assert is_well(port)
        assert told.result().startswith(b"HTTP/1.1 4")


def test_slow_callers_keep_nobody_waiting(port: int) -> None:
    """A hundred that send a byte now and then cost a hundred connections, and no thread."""
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(create_connection(("127.0.0.1", port)))) for _ in range(100)]
        request = post(INFER, json.dumps(ECHO).encode())
        for at in range(0, 60, 20):
            for connection in slow:
                connection.sendall(request[at : at + 20])
            assert is_well(port)
        slow[0].sendall(request[60:])
        assert slow[0].recv(65536).startswith(b"HTTP/1.1 200")


def test_who_does_not_read_an_answer_holds_back_its_own_only(port: int) -> None:
    """Its pieces wait; those of others pass."""
    ask_much = json.dumps({"model": "parrot", "prompt": "word " * 50, "max_tokens": 990, "stream": True}).encode()
    with closing(create_connection(("127.0.0.1", port))) as silent, ThreadPoolExecutor(8) as pool:
        silent.sendall(post("/v1/completions", ask_much))
        given = [pool.submit(ask, port, "/v1/completions", ask_much) for _ in range(8)]
        assert all(b"[DONE]" in one.result()[1] for one in given)
        assert is_well(port)


def test_who_hangs_up_at_any_byte_is_forgotten(port: int) -> None:
    """Whatever was half said is dropped with the connection."""
    request = post(INFER, json.dumps(ECHO).encode())
    for end in range(0, len(request), 7):
        with closing(create_connection(("127.0.0.1", port))) as connection:
            connection.sendall(request[:end])
    until(lambda: is_well(port), "the server goes on")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from([
    "inputs", "outputs", "id", "parameters", "name", "shape", "datatype", "data", "instances", "x", "model", "messages",
    "prompt", "input", "max_tokens", "stop", "n", "role", "content", "binary_data_size", "stream",
])  # fmt: skip
BODIES = st.recursive(
    st.none()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(["x", "FP32", "echo", "parrot", "hashes", "user", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)
PATHS = [INFER, "/predict/echo", "/v1/models/echo:predict", "/v1/chat/completions", "/v1/completions", "/v1/embeddings",
         "/v2/repository/index", "/v2/repository/models/names/load"]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PATHS), BODIES | VALUES)
def test_no_json_makes_a_server_error(port: int, path: str, body: Any) -> None:
    """Each answer is a success or the caller's mistake, and says which."""
    status, answer = ask(port, path, json.dumps(body).encode())
    assert status in (200, 400, 404, 503), (status, answer)
    assert status == 200 or json.loads(answer)["error"]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_a_server_error(port: int, body: bytes) -> None:
    """As JSON, as raw tensors, and as what follows a valid head."""
    for path in (INFER, "/v1/completions", "/predict/echo"):
        assert ask(port, path, body)[0] == 400
    head = json.dumps({"inputs": [{**ECHO["inputs"][0], "parameters": {"binary_data_size": 8}}]}).replace(
        '"data": [1.0, 2.0], ', ""
    )
    status, _ = ask(port, INFER, head.encode() + body, Inference_Header_Content_Length=str(len(head)))
    assert status == (200 if len(body) == 8 else 400)

"""Who answers where a route's own replicas cannot."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from elsewhere import elsewhere, make_certificate
from inference_plane import ROUTE, THING, TOKEN, until
from variants import Trial, Variant, raw, running_trial

from weyr.core.capability import Wanted
from weyr.core.ref import ThingId
from weyr.core.routes import Fallback, RouteBody, RouteVersion, Traffic
from weyr.engines.local.router import LocalRouter
from weyr.gateway.inference.uses import OUTSIDE
from weyr.wire.counters import read_counts

CHAT = {"model": "mine", "messages": [{"role": "user", "content": "hi"}]}
KEY = "digits:secret/far"
USAGE = b'{"by": "elsewhere", "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}'


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Variant]]:
    certificate = tmp_path_factory.mktemp("elsewhere") / "server.pem"
    make_certificate(certificate)
    with pytest.MonkeyPatch.context() as patch, elsewhere(certificate) as found:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        yield found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def trial(far: tuple[str, Variant], kept: Path) -> Iterator[Trial]:
    with running_trial("--limits", str(kept / "limits"), "--uses", str(kept / "uses")) as running:
        plane = running.plane
        plane.router = LocalRouter(
            plane.home / "routes.json", plane.control, lambda: plane.url, read_secret=lambda _ref: b"sk-far\n"
        )
        yield running


def paid(uses: Path) -> int:
    """What servers elsewhere were paid, as it is kept; 0 while nothing is."""
    return sum(counted.cells[OUTSIDE] for counted in read_counts(uses).values())


def chat(trial: Trial) -> tuple[int, bytes]:
    return trial.plane.ask(f"/{ROUTE}/v1/chat/completions", "POST", json.dumps(CHAT).encode())


def test_another_version_answers_where_the_first_fails(trial: Trial) -> None:
    """The answer says who gave it, and the failure is counted where it happened: no canary hides behind a fallback."""
    trial.tell(Traffic(fallbacks=(Fallback("spare", version="b"),)), a=100, b=0)
    trial.variants["a"].answers = lambda got: (500, b"{}")
    before = trial.counts()
    line = f"POST /{ROUTE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    said = raw(trial.plane, line.encode() + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK\r\nweyr-answered-by: spare\r\n")
    assert [got.body for got in trial.variants["b"].got] == [b"hi"]
    after = trial.counts()
    assert after["a"].errors - before["a"].errors == 1
    assert after["b"].requests - before["b"].requests == 1
    trial.variants["b"].answers = lambda got: (500, b'{"by": "b"}')
    assert trial.ask(body=b"hi") == (500, b'{"by": "b"}'), "the last of the chain is not replaced by words of ours"


def test_a_body_that_is_still_coming_when_nobody_is_ready_goes_to_the_next(trial: Trial) -> None:
    """Its last bytes come later than its head: that is no reason to refuse what another could answer."""
    trial.tell(Traffic(fallbacks=(Fallback("spare", version="b"),)), absent="a", hold_s=0.02, a=100, b=0)
    head = f"POST /{ROUTE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    trial.variants["b"].answers = lambda got: (200, got.body)
    with socket.create_connection(("127.0.0.1", trial.plane.port), timeout=60) as caller:
        caller.sendall(f"{head}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n".encode())
        assert caller.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n", "asked for once nobody came in time"
        caller.sendall(b"he")
        caller.sendall(b"llo")
        said = b"".join(iter(lambda: caller.recv(4096), b""))
    assert said.startswith(b"HTTP/1.1 200 OK\r\nweyr-answered-by: spare\r\n")
    assert said.endswith(b"hello")


def test_another_route_answers_where_nobody_is_ready(trial: Trial) -> None:
    """A small model that always stands answers for the large one that does not."""
    other = ThingId.parse("digits:endpoint/small#route")
    small = RouteBody("digits/small", (RouteVersion("1", replicas=(("c", str(trial.variants["c"].path)),)),))
    assert trial.plane.router.ensure([Wanted(other, 1, small)]) == {}
    chain = (Fallback("nobody", route="digits/none"), Fallback("small", route="digits/small", first_byte_s=0.05))
    trial.tell(Traffic(fallbacks=chain), absent="a", hold_s=0.05, a=100)
    assert trial.by(body=b"{}") == "c"
    trial.plane.router.release([other])
    status, said = trial.ask(body=b"{}")
    assert (status, b"no replica" in said) == (503, True)


def test_a_silent_replica_is_not_waited_for(trial: Trial) -> None:
    """The next in the chain is asked after its `first_byte_s`, and the silent one is let go."""
    gate = threading.Event()
    trial.tell(Traffic(fallbacks=(Fallback("spare", version="b", first_byte_s=0.1),)), a=100, b=0)
    trial.variants["a"].answers = lambda got: (200 + gate.wait(60), b"{}")
    try:
        assert trial.by(body=b"{}") == "b"
    finally:
        gate.set()


def test_a_server_elsewhere_is_asked_with_its_own_model_and_key(trial: Trial, far: tuple[str, Variant]) -> None:
    """Over TLS, without the caller's token or cookies; one whose certificate is not its own is not asked."""
    url, server = far
    server.got.clear()
    server.answers = lambda got: (200, USAGE)
    fallback = Fallback("far", url=url, model="gpt", key_file=KEY)
    trial.tell(Traffic(fallbacks=(fallback,)), absent="a", hold_s=0.05, a=100)
    assert chat(trial) == (200, USAGE)
    (got,) = server.got
    assert (got.path, json.loads(got.body)) == ("/v1/chat/completions", {**CHAT, "model": "gpt"})
    assert got.headers["authorization"] == "Bearer sk-far"
    assert TOKEN not in str(got.headers)
    assert trial.ask(body=b"{}")[0] == 503, "it knows no path but those below /v1"
    assert trial.counts()["far"].requests == 1
    imposter = Fallback("far", url=url.replace("127.0.0.1", "localhost"), key_file=KEY)
    trial.tell(Traffic(fallbacks=(imposter,)), absent="a", hold_s=0.05, a=100)
    status, said = chat(trial)
    assert (status, b"can be reached" in said, len(server.got)) == (502, True, 1)
    trial.tell(Traffic(fallbacks=(fallback,)), absent="a", hold_s=0.05, a=100)
    server.answers = lambda got: (429, b"{}")
    assert chat(trial) == (429, b"{}"), "its own refusal is the answer where nobody follows"


def test_a_server_elsewhere_is_passed_over_once_its_budget_is_spent(
    trial: Trial, far: tuple[str, Variant], kept: Path
) -> None:
    """1,000 tokens at 1 a million and 500 at 2 cost 2,000 millionths; the second answer reaches the 3,000."""
    url, server = far
    server.answers = lambda got: (200, USAGE)
    costs = Fallback(
        "far", url=url, prompt_micros=1_000_000, completion_micros=2_000_000, budget_micros=3_000, budget_per="day"
    )
    trial.tell(Traffic(fallbacks=(costs,)), absent="a", hold_s=0.05, a=100)
    assert [chat(trial)[0] for _ in range(3)] == [200, 200, 503]
    until(lambda: paid(kept / "uses") == 4000, "what was paid there is kept for the bill")


def test_a_replica_that_dies_leaves_the_request_to_the_next(trial: Trial) -> None:
    """Also one that changes something: who writes a fallback into the file has said so."""
    trial.tell(Traffic(fallbacks=(Fallback("spare", version="b"),)), a=100, b=0)
    trial.variants["a"].answers = lambda got: (0, b"")
    assert trial.by(body=b"{}") == "b"


def test_the_plane_reads_a_servers_key_from_a_file_that_follows_the_secret(tmp_path: Path) -> None:
    """The routes file holds no key; a secret without a value is refused; a key that no route names is removed."""
    values: dict[str, bytes] = {}
    router = LocalRouter(
        tmp_path / "routes.json", tmp_path / "nobody.sock", lambda: None, read_secret=lambda ref: values.get(str(ref))
    )
    chain = (Fallback("far", url="https://far.example/v1", key_file=KEY),)
    want = Wanted(THING, 1, RouteBody(ROUTE, (RouteVersion("1"),), traffic=Traffic(fallbacks=chain)))
    assert "weyr secret set" in router.ensure([want])[THING].reason
    values["secret/far"] = b"sk-one"
    assert router.ensure([want]) == {}
    assert "sk-one" not in (tmp_path / "routes.json").read_text()
    (file,) = (tmp_path / "route-keys").iterdir()
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"sk-one", 0o600)
    values["secret/far"] = b"sk-two"
    router.observe([THING])
    assert file.read_bytes() == b"sk-two"
    router.release([THING])
    assert not file.exists()
    own = tmp_path / "own"
    own.write_bytes(b"sk-own")
    chain = (Fallback("far", url="https://far.example/v1", key_file=str(own)),)
    want = Wanted(THING, 2, RouteBody(ROUTE, (RouteVersion("1"),), traffic=Traffic(fallbacks=chain)))
    assert router.ensure([want]) == {}
    router.observe([THING])
    assert json.loads((tmp_path / "routes.json").read_text())["endpoints"][ROUTE]["route"]["traffic"]["fallbacks"][0][
        "key_file"
    ] == str(own)
    router.release([THING])
    assert own.exists(), "it is the user's"

"""What does a served request cost next to the Python model servers that people use? All of them in one run.

    .venv/bin/python bench/server_peers.py [--peers litserve mlserver ...] [--cache FOLDER]

Each is asked the same: 64 numbers in the Open Inference Protocol's JSON, given back (echo) or classified by the same
scikit-learn model, over 1, 16 and 64 kept connections. Start is from the command to the first answer of the echo;
memory is the proportional share of its whole process tree after the load, CPU that tree's per request. Ours is there
twice: the model server alone, and through the inference plane, both processes counted. A peer has an environment of
its own, outside of the project, that is installed once (uv) and kept; one that cannot be installed or does not start
is said to be missing, and stays out of every ratio.
"""

import argparse
import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from http_load import Load, measure
from ports import answers, free_port
from protocols import SAVE, SERVER
from server_peer_programs import BENTOML, FASTAPI, KSERVE, LITSERVE, MLSERVER, PICKLE, RAY_SERVE, mlserver_settings
from serving import ASGI, CONNECTIONS
from serving_bench import Bench, post

SECONDS = 1.2
WITHIN_S = 120.0
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "weyr-peers"
NUMBERS = [0.5] * 64
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 64], "datatype": "FP64", "data": NUMBERS}]}).encode()
OURS_ECHO = BODY.replace(b"FP64", b"FP32")
OURS_DIGITS = json.dumps({**json.loads(BODY.replace(b'"x"', b'"input"')), "outputs": [{"name": "predict"}]}).encode()
ECHO, DIGITS = "echo", "digits"


@dataclass(frozen=True)
class Peer:
    """`requirements` go into its environment; none: the bench's own. `arguments` follow its Python, with `{port}`."""

    program: str
    arguments: tuple[str, ...]
    requirements: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=lambda: {ECHO: "/echo", DIGITS: "/digits"})
    body: bytes = BODY


UVICORN = ("-m", "uvicorn", "program:app", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--port")
V2 = {name: f"/v2/models/{name}/infer" for name in (ECHO, DIGITS)}
PEERS: Mapping[str, Peer] = {
    "bare ASGI on uvicorn": Peer(ASGI, (*UVICORN, "{port}"), paths={ECHO: "/echo"}),
    "FastAPI on uvicorn": Peer(FASTAPI, (*UVICORN, "{port}")),
    # MLServer 1.7.1 does not start with uvloop 0.22.
    "mlserver": Peer(
        MLSERVER,
        ("-c", "from mlserver.cli import main; main()", "start", "."),
        ("mlserver", "mlserver-sklearn", "uvloop<0.22"),
        V2,
    ),
    "kserve": Peer(KSERVE, ("program.py", "{port}"), ("kserve", "scikit-learn"), V2),
    "litserve": Peer(LITSERVE, ("program.py", "{port}"), ("litserve", "scikit-learn")),
    "bentoml": Peer(
        BENTOML, ("-m", "bentoml", "serve", "program:Peer", "--port", "{port}"), ("bentoml", "scikit-learn")
    ),
    "rayserve": Peer(RAY_SERVE, ("program.py", "{port}"), ("ray[serve]", "scikit-learn")),
}


@dataclass(frozen=True)
class Row:
    name: str
    start_s: float
    memory_mb: float
    loads: Mapping[str, list[Load]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER", help="these only")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where the peers' environments are kept")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-peers-")))
        bench = Bench(folder, stack)
        subprocess.run([sys.executable, str(bench.script("save", SAVE)), str(folder)], check=True)
        subprocess.run([sys.executable, str(bench.script("pickle_it", PICKLE)), str(folder)], check=True)
        print(f"{'':32} start s     MB" + "".join(f"{n:>7} conn. µs   req/s p50 ms p99 ms" for n in CONNECTIONS))
        ours = [*_ours(bench)]
        theirs = [row for name in args.peers if (row := _asked(name, PEERS[name], folder, args.cache))]
    _compare(ours, theirs)
    return 1 if any(load.failures for row in ours for loads in row.loads.values() for load in loads) else 0


def _ours(bench: Bench) -> Iterator[Row]:
    """The model server alone, then the plane before it."""
    port, began = free_port(), time.monotonic()
    script = bench.script("server", SERVER)
    server = bench.start(
        str(script), str(port), "512", f"digits={bench.folder / 'digits'}", ready=lambda: answers(port)
    )
    start_s = time.monotonic() - began
    requests = {ECHO: post(V2[ECHO], OURS_ECHO), DIGITS: post(V2[DIGITS], OURS_DIGITS)}
    yield _measured("ours, direct", start_s, port, requests, [server])
    began = time.monotonic()
    plane_port, plane = bench.plane(Path(f"127.0.0.1:{port}"))
    requests = {
        name: post(f"/bench/model{V2[name]}", body) for name, body in ((ECHO, OURS_ECHO), (DIGITS, OURS_DIGITS))
    }
    yield _measured("ours, through the plane", time.monotonic() - began, plane_port, requests, [plane, server])


def _asked(name: str, peer: Peer, folder: Path, cache: Path) -> Row | None:
    """One peer's row. None, and said so, where it cannot be installed or does not start."""
    python = _environment(name, peer, cache)
    if python is None:
        print(f"{name:32} could not be installed")
        return None
    home, port = folder / name.replace(" ", "-"), free_port()
    home.mkdir()
    (home / "program.py").write_text(textwrap.dedent(peer.program))
    (home / "model.pickle").write_bytes((folder / "model.pickle").read_bytes())
    if peer.program is MLSERVER:
        mlserver_settings(home, port, free_port(), free_port())
    env = {**os.environ, "BENTOML_DO_NOT_TRACK": "true", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    env |= {"BENTOML_HOME": str(home)}
    words = [str(python), *(word.format(port=port) for word in peer.arguments)]
    began = time.monotonic()
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=home, env=env, stdout=log, stderr=log)
    try:
        requests = {case: post(path, peer.body) for case, path in peer.paths.items()}
        while not _is_answered(port, peer.paths[ECHO], peer.body):
            if process.poll() is not None or time.monotonic() - began > WITHIN_S:
                print(f"{name:32} did not start: {(home / 'log').read_text(errors='replace')[-500:]}")
                return None
            time.sleep(0.02)
        start_s = time.monotonic() - began
        return _measured(name, start_s, port, requests, [process.pid])
    finally:
        _end(process)


def _environment(name: str, peer: Peer, cache: Path) -> Path | None:
    """The Python of a peer's environment, which is made where it is not there yet."""
    if not peer.requirements:
        return Path(sys.executable)
    home = cache / name
    python, mark = home / "bin" / "python", home / "installed"
    if mark.exists() and mark.read_text() == repr(peer.requirements):
        return python
    steps = (
        ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
        ["uv", "pip", "install", "--quiet", "--python", str(python), *peer.requirements],
    )
    if any(subprocess.run(step).returncode for step in steps):
        return None
    mark.write_text(repr(peer.requirements))
    return python


def _measured(name: str, start_s: float, port: int, requests: Mapping[str, bytes], roots: list[int]) -> Row:
    loads: dict[str, list[Load]] = {}
    for case, request in requests.items():
        loads[case] = [measure(port, request, n, SECONDS, _tree(roots)) for n in CONNECTIONS]
    row = Row(name, start_s, sum(_memory_mb(pid) for pid in _tree(roots)), loads)
    for case, measured in loads.items():
        cells = "".join(
            f"{load.cpu_us:16.0f} {load.per_s:7.0f} {load.p50_ms:6.2f} {load.p99_ms:6.1f}" for load in measured
        )
        failures = sum(load.failures for load in measured)
        said = f"   {failures} failures" if failures else ""
        print(f"{f'{name}, {case}':32}{row.start_s:8.2f}{row.memory_mb:7.0f}{cells}{said}", flush=True)
    return row


def _tree(roots: list[int]) -> list[int]:
    return [p.pid for root in roots for p in (psutil.Process(root), *psutil.Process(root).children(recursive=True))]


def _memory_mb(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_full_info().pss) / 1e6
    return 0.0


def _is_answered(port: int, path: str, body: bytes) -> bool:
    if not answers(port):
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a peer's whole tree: some leave their workers behind."""
    tree = [psutil.Process(pid) for pid in _tree([process.pid])] if process.poll() is None else []
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for left in tree:
        with contextlib.suppress(psutil.Error):
            left.kill()
    process.wait()


def _compare(ours: list[Row], theirs: list[Row]) -> None:
    """Peer / ours: above 1 we are ahead, but for requests per second, which are ours / the peer's."""
    for mine in ours:
        print(
            f"\n{mine.name}: how many times the peer costs     start  memory"
            + "".join(f"   CPU@{n} req/s@{n} p99@{n}" for n in CONNECTIONS)
        )
        for peer in theirs:
            for case, loads in peer.loads.items():
                ratios = "".join(
                    f"{its.cpu_us / own.cpu_us:8.1f}{own.per_s / its.per_s:9.1f}{its.p99_ms / own.p99_ms:7.1f}"
                    for its, own in zip(loads, mine.loads[case], strict=True)
                )
                costs = f"{peer.start_s / mine.start_s:8.1f}{peer.memory_mb / mine.memory_mb:8.1f}"
                print(f"{f'  {peer.name}, {case}':48}{costs}{ratios}")


if __name__ == "__main__":
    sys.exit(main())

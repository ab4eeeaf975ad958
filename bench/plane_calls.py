"""How much Python does a request run in the inference plane? Calls, which are the same whoever else uses the machine.

    .venv/bin/python bench/plane_calls.py [--each]

`--each` names every function with its calls per request. The plane is the real one before a real replica; signals tell
it when to count.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from serving_bench import BODY, CHUNKS, Bench, post

REQUESTS = 300
STREAMS = 3
COUNTER = """
    import collections, json, signal, sys
    from pathlib import Path
    calls = collections.Counter()
    def seen(frame, event, what):
        if event == "call":
            calls[f"{Path(frame.f_code.co_filename).name}: {frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            calls[f"{Path(frame.f_code.co_filename).name}: {frame.f_code.co_name} -> {what.__qualname__}"] += 1
    def begin(*_):
        calls.clear()
        sys.setprofile(seen)
    def end(*_):
        sys.setprofile(None)
        Path(target + ".new").write_text(json.dumps(calls))
        Path(target + ".new").replace(target)
    target = sys.argv.pop(1)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    from weyr.gateway.inference.__main__ import main
    sys.exit(main())
"""

Row = tuple[str, float, str, float | None]


def measure() -> Iterator[Row]:
    """For `bench/guard.py`."""
    for name, calls, each in _counted():
        yield f"plane, {name}: calls", sum(calls.values()) / each, "calls", None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", action="store_true", help="name every function")
    is_each = parser.parse_args().each
    for name, calls, each in _counted():
        print(f"{sum(calls.values()) / each:8.2f}  {name}")
        for function, count in sorted(calls.items(), key=lambda pair: -pair[1]) if is_each else ():
            if count * 20 >= each:
                print(f"{count / each:16.2f}  {function}")


def _counted() -> Iterator[tuple[str, dict[str, int], int]]:
    """What was counted, its calls by function, and of how many requests or chunks."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weyr-bench")))
        bench = Bench(folder, stack)
        script = bench.script("counter", COUNTER)
        (echo, _, _), stream = bench.echo(), bench.stream()
        for name, has_all in (("a request", False), ("a request with all on", True)):
            yield name, _calls(bench, script, echo, has_all, "/bench/model/echo", REQUESTS), REQUESTS
        asked = "/bench/model/v1/chat/completions"
        for name, has_all in (("a chunk", False), ("a chunk with all on", True)):
            yield name, _calls(bench, script, stream, has_all, asked, STREAMS), STREAMS * CHUNKS


def _calls(bench: Bench, script: Path, replica: Path, has_all: bool, path: str, requests: int) -> dict[str, int]:
    found = bench.folder / f"{replica.stem}-{has_all}.calls"
    port, pid = bench.plane(replica, has_all=has_all, program=(str(script), str(found)))
    request = post(path, BODY)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
        _ask(caller, request)
        os.kill(pid, signal.SIGUSR1)
        for _ in range(requests):
            _ask(caller, request)
        os.kill(pid, signal.SIGUSR2)
        deadline = time.monotonic() + 30
        while not found.exists():
            assert time.monotonic() < deadline, "the plane did not tell what it counted"
            _ask(caller, request)  # signals are looked at between two turns of its loop
    return dict(json.loads(found.read_text()))


def _ask(caller: socket.socket, request: bytes) -> None:
    caller.sendall(request)
    answer = b""
    while not answer.endswith((BODY, b"\r\n0\r\n\r\n")):
        answer += caller.recv(2**16)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


if __name__ == "__main__":
    main()

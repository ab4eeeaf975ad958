"""What do a thousand endpoints cost that nobody asks, and how long does the first request to one of them take?

    python bench/idle_endpoints.py [--endpoints 1000] [--wakes 10] [--json]

One stack of endpoints that scale to zero, brought up by `weyr up` on this machine; the same again with one endpoint
says what is there anyway. Memory is what everything that stands has for itself (server, planes, launcher and what it
keeps loaded), CPU what they use in a minute at rest. A wake is from the request to the whole answer of a program that
imports nothing but the standard library: the limit beside it, in the same run, is that program started and asked
without Weyr.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

WEYR = [sys.executable, "-m", "weyr.cli.main"]
REST_S = 60
PROGRAM = """\
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


@dataclass(frozen=True)
class Standing:
    """A stack that is up: the folder with its processes' files, and where its endpoints are asked."""

    home: Path
    url: str
    token: str

    @property
    def processes(self) -> list[psutil.Process]:
        """Everything that was started for this home, and nothing else: also what the launcher keeps loaded."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("WEYR_HOME") == str(self.home)
                if is_ours or f"{self.home}/" in " ".join(process.cmdline()):
                    found |= {each.pid: each for each in (process, *process.children(recursive=True))}
            except psutil.Error:
                continue
        return list(found.values())

    def memory_mb(self) -> float:
        """What they have for themselves: pages that several share would be counted for each in their resident sets."""
        return sum(process.memory_full_info().uss for process in self.processes) / 1e6

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def ask(self, name: str) -> float:
        """Seconds from the request to the whole answer."""
        began = time.perf_counter()
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=120)
        connection.request("GET", f"/bench/{name}/", headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{name} answered {answer.status}: {body[:300]!r}")
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--wakes", type=int, default=10, help="endpoints that are asked, one after the other")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    one, many = measured(1, 1), measured(options.endpoints, options.wakes)
    figures = {
        "endpoints": options.endpoints,
        "up_s": round(many["up_s"], 1),
        "memory_mb": round(many["memory_mb"], 1),
        "memory_mb_of_one": round(one["memory_mb"], 1),
        "kb_each": round((many["memory_mb"] - one["memory_mb"]) * 1000 / max(1, options.endpoints - 1), 1),
        "cpu_s_per_minute": round(many["cpu_s"] * 60 / REST_S, 2),
        "cpu_s_per_minute_of_one": round(one["cpu_s"] * 60 / REST_S, 2),
        "wake_ms_p50": round(many["wake_s"] * 1000, 1),
        "wake_ms_p50_of_one": round(one["wake_s"] * 1000, 1),
        "limit_ms_p50": round(many["limit_s"] * 1000, 1),
        "wake_to_limit": round(many["wake_s"] / many["limit_s"], 2),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{name:26} {value}" for name, value in figures.items()))


def measured(count: int, wakes: int) -> dict[str, float]:
    """Brings `count` endpoints up, leaves them alone for a minute and asks the first `wakes` of them."""
    with standing(count) as (stack, up_s):
        used, began = stack.cpu_s(), time.monotonic()
        time.sleep(REST_S)
        cpu_s = (stack.cpu_s() - used) * REST_S / (time.monotonic() - began)
        memory_mb = stack.memory_mb()
        asked = [stack.ask(f"e{n}") for n in range(min(wakes, count))]
    bare = [alone() for _ in range(min(wakes, count))]
    return {"up_s": up_s, "memory_mb": memory_mb, "cpu_s": cpu_s, "wake_s": statistics.median(asked),
            "limit_s": statistics.median(bare)}  # fmt: skip


@contextmanager
def standing(count: int) -> Iterator[tuple[Standing, float]]:
    with tempfile.TemporaryDirectory(prefix="w-") as folder:
        work, home = Path(folder, "work"), Path(folder, "home")
        work.mkdir()
        home.mkdir(mode=0o700)
        (work / "answer.py").write_text(PROGRAM)
        each = "{run: python answer.py, ready: /, scale: {min: 0, max: 1, idle_after: 1h}}"
        lines = "".join(f"  e{n}: {each}\n" for n in range(count))
        (work / "weyr.yaml").write_text(f"stack: bench\nendpoints:\n{lines}")
        environment = {**os.environ, "WEYR_HOME": str(home)}
        began = time.monotonic()
        up = subprocess.run([*WEYR, "up", "--yes"], cwd=work, env=environment, capture_output=True, text=True)
        took_s = time.monotonic() - began
        try:
            if up.returncode:
                raise SystemExit(up.stdout + up.stderr)
            url = json.loads((home / "run" / "inference.json").read_text())["url"]
            yield Standing(home, url, (home / "admin.token").read_text().strip()), took_s
        finally:
            subprocess.run([*WEYR, "down", "--yes"], cwd=work, env=environment, check=True, capture_output=True)


def alone() -> float:
    """Seconds until the same program, started by nobody but us, has answered."""
    from socket import socket

    with socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        Path(folder, "answer.py").write_text(PROGRAM)
        free.close()
        began = time.perf_counter()
        environment = {**os.environ, "PORT": str(port)}
        process = subprocess.Popen([sys.executable, "answer.py"], cwd=folder, env=environment)
        try:
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                try:
                    connection.request("GET", "/")
                    connection.getresponse().read()
                    return time.perf_counter() - began
                except ConnectionRefusedError:
                    time.sleep(0.001)
                finally:
                    connection.close()
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()

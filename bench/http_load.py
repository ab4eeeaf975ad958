"""How much does a server do, and what does it cost? A load of one fixed request over kept connections."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import httptools
import uvloop

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured. `cpu_us` is the CPU time of the servers' processes per request."""

    connections: int
    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    failures: int


def measure(port: int, request: bytes, connections: int, seconds: float, pids: list[int]) -> Load:
    """Sends `request` over each connection, the next once the answer to the one before is whole."""
    return uvloop.run(_measure(port, request, connections, seconds, pids))


def cpu_s(pids: list[int]) -> float:
    """User and system time of these processes so far."""
    return sum(_cpu_s(pid) for pid in pids)


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(words[11]) + int(words[12])) * TICK_S


class _Client(asyncio.Protocol):
    """One connection in a closed loop."""

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self._request = request
        self._latencies = latencies
        self._parser = httptools.HttpResponseParser(self)
        self.failures = 0
        self.is_stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's are alike, not related
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._latencies.append(time.perf_counter() - self._sent_at)
        if self._parser.get_status_code() != 200:
            self.failures += 1
        if not self.is_stopping:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failures += not self.is_stopping

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)


async def _measure(port: int, request: bytes, connections: int, seconds: float, pids: list[int]) -> Load:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    clients = [
        (await loop.create_connection(lambda: _Client(request, latencies), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 5)
    latencies.clear()
    cpu, began = cpu_s(pids), time.perf_counter()
    await asyncio.sleep(seconds)
    took, used, done = time.perf_counter() - began, cpu_s(pids) - cpu, len(latencies)
    for client in clients:
        client.is_stopping = True
    ordered = sorted(latencies[:done]) or [0.0]
    return Load(
        connections=connections,
        per_s=done / took,
        cpu_us=used / max(done, 1) * 1e6,
        p50_ms=ordered[len(ordered) // 2] * 1e3,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1e3,
        failures=sum(client.failures for client in clients),
    )

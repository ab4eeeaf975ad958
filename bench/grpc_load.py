"""What does a gRPC server cost per call? A load of one fixed message by grpc's own client; `http_load` is HTTP's."""

import asyncio
import time

import grpc
from http_load import Load, cpu_s

INFER = "/inference.GRPCInferenceService/ModelInfer"


def measure_grpc(port: int, message: bytes, callers: int, seconds: float, pids: list[int]) -> Load:
    """Sends `message` from each caller, the next once the answer to the one before is there."""
    return asyncio.run(_measure(port, message, callers, seconds, pids))


async def _measure(port: int, message: bytes, callers: int, seconds: float, pids: list[int]) -> Load:
    latencies: list[float] = []
    failures = 0
    is_over = False

    async def call(channel: grpc.aio.Channel) -> None:
        nonlocal failures
        infer = channel.unary_unary(INFER)
        while not is_over:
            sent_at = time.perf_counter()
            try:
                await infer(message)
            except grpc.aio.AioRpcError:
                failures += 1
            latencies.append(time.perf_counter() - sent_at)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        calls = [asyncio.ensure_future(call(channel)) for _ in range(callers)]
        await asyncio.sleep(seconds / 5)
        latencies.clear()
        cpu, began = cpu_s(pids), time.perf_counter()
        await asyncio.sleep(seconds)
        took, used, ordered = time.perf_counter() - began, cpu_s(pids) - cpu, sorted(latencies) or [0.0]
        is_over = True
        await asyncio.gather(*calls)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return Load(callers, len(ordered) / took, used / len(ordered) * 1e6, p50 * 1e3, p99 * 1e3, failures)

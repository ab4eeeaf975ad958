"""The gRPC door's process: `python -m weyr.gateway.grpc`. It knows no model: stopped or started, it loses nothing."""

import argparse
import asyncio
import sys
from pathlib import Path

import uvloop

from weyr.gateway.grpc.door import Door
from weyr.gateway.grpc.endpoints import Endpoints
from weyr.gateway.grpc.upstream import Upstream
from weyr.wire.process import allow_many_files, stop_signal, write_info


def main() -> int:
    """Exit status 0 after a stop that was asked for, 1 where the door could not open."""
    arguments = _parser().parse_args()
    allow_many_files()
    try:
        uvloop.run(_serve(arguments))
    except ModuleNotFoundError as e:
        print(f'the gRPC door needs the Python package "{e.name}": pip install "weyr[grpc]"', file=sys.stderr)
        return 1
    except (OSError, RuntimeError) as e:
        print(f"the gRPC door cannot open: {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m weyr.gateway.grpc", description="Serve endpoints over gRPC.")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--plane", help="the inference plane to ask: host:port")
    to.add_argument("--replica", help="one replica to ask: the path of its Unix socket")
    parser.add_argument("--endpoint", default="", help="STACK/ENDPOINT, where the caller's metadata does not say it")
    parser.add_argument("--endpoints", type=Path, help="a file with the endpoints that may be asked, which is followed")
    parser.add_argument("--info", type=Path, required=True, help="where to say that this process listens")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--body-max", type=int, default=256 * 2**20, help="the largest message in bytes")
    parser.add_argument("--grace", type=float, default=30.0, help="seconds for calls under way after SIGTERM")
    return parser


def _endpoints(arguments: argparse.Namespace) -> Endpoints | None:
    """None before a replica, which has no endpoints."""
    return Endpoints(arguments.endpoint, arguments.endpoints) if arguments.plane else None


async def _serve(arguments: argparse.Namespace) -> None:
    import grpc

    upstream = Upstream(arguments.plane or arguments.replica)
    sizes = [("grpc.max_receive_message_length", arguments.body_max), ("grpc.max_send_message_length", -1)]
    # Two processes on one port would each get half of the calls, and a mistyped port would go unnoticed.
    server = grpc.aio.server(options=[*sizes, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Door(upstream, _endpoints(arguments)).handlers(),))
    port = server.add_insecure_port(f"{arguments.host}:{arguments.port}")
    await server.start()
    write_info(arguments.info, port, f"grpc://{arguments.host}:{port}")
    try:
        await asyncio.ensure_future(stop_signal())
        await server.stop(arguments.grace)
    finally:
        upstream.close()
        arguments.info.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

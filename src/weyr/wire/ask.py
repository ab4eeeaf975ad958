"""What does another process of ours say at its Unix socket? One request, on a connection of its own; no thread."""

import asyncio
from pathlib import Path

import httptools

PIECE = 2**18


class NoAnswer(Exception):
    """Nobody answered there in time, or not in HTTP."""


class _Reading:
    """Takes an answer apart."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_whole = False

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.is_whole = True


async def asked(socket: Path, method: str, target: str, within_s: float = 5.0) -> tuple[int, bytes]:
    """Status and body. Raises: NoAnswer."""
    request = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
    try:
        async with asyncio.timeout(within_s):
            return await _exchange(socket, request)
    except (OSError, httptools.HttpParserError) as e:
        raise NoAnswer(f"{socket.name} does not answer: {str(e) or type(e).__name__}") from e


async def _exchange(socket: Path, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(request)
        reading = _Reading()
        parser = httptools.HttpResponseParser(reading)
        while not reading.is_whole:
            piece = await reader.read(PIECE)
            if not piece:
                raise ConnectionResetError("it ended before its answer was whole")
            parser.feed_data(piece)
        return parser.get_status_code(), b"".join(reading.pieces)
    finally:
        writer.close()

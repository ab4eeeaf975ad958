"""How do the functions plane and an instance talk? In frames: a small JSON header and a body of bytes.

Standard library only: a function's process imports this before anything else.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

LENGTHS = struct.Struct("!II")
HEADER_MAX = 2**20


class FrameTooLarge(ValueError):
    """What comes would be larger than was agreed; nothing that follows can be understood."""


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """The bytes of one frame."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((LENGTHS.pack(len(text), len(body)), text, body))


class Frames:
    """Finds frames in bytes as they come. `body_max` bounds what it may have to keep."""

    def __init__(self, body_max: int) -> None:
        self._body_max = body_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Every frame that is whole by now. Raises: FrameTooLarge, ValueError for a header that is no JSON object."""
        self._buffer += data
        while len(self._buffer) >= LENGTHS.size:
            header_size, body_size = LENGTHS.unpack_from(self._buffer)
            if header_size > HEADER_MAX or body_size > self._body_max:
                raise FrameTooLarge(f"a frame of {header_size} + {body_size} bytes")
            end = LENGTHS.size + header_size + body_size
            if len(self._buffer) < end:
                return
            middle = LENGTHS.size + header_size
            header, body = json.loads(self._buffer[LENGTHS.size : middle]), bytes(self._buffer[middle:end])
            del self._buffer[:end]
            if not isinstance(header, dict):
                raise ValueError("a frame's header is a JSON object")
            yield header, body

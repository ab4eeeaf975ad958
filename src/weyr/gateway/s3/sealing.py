"""How does an encrypted blob lie on disk? AES-256-GCM in frames, so that any range opens without the rest.

    "weyrenc1"   8 bytes
    salt         32 bytes, drawn for this blob alone
    frames       65,536 plain bytes each, the last one shorter; behind each its tag of 16 bytes

The blob's key is derived from the object's data key and the salt (HKDF-SHA-256), so no key is ever used for two blobs,
and the nonce of a frame is its number: frames cannot change places. The index says how long a blob is; one that is
shorter does not open to its end. A key is wrapped the same way: salt, then the key and its tag.
"""

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from weyr.gateway.s3.errors import S3Error

MAGIC = b"weyrenc1"
KEY_BYTES = 32
SALT_BYTES = 32
TAG_BYTES = 16
HEAD_BYTES = len(MAGIC) + SALT_BYTES
FRAME_BYTES = 64 * 1024
FRAMES_AT_ONCE = 4
"""A quarter of a mebibyte: what one reader holds in memory."""
_NONCE_OF_A_WRAP = bytes(12)

Piece = bytes | memoryview
Read = Callable[[int, int], bytes]
"""(count, offset) → bytes, fewer only at the end."""


class WrongKey(Exception):
    """The key does not open what it was tried on."""


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def wrapped(key: bytes, inner: bytes, *bound_to: str) -> str:
    """A key, closed with another one so that it opens for the same `bound_to` only."""
    salt = secrets.token_bytes(SALT_BYTES)
    closed = _cipher(key, salt, b"wrap").encrypt(_NONCE_OF_A_WRAP, inner, json.dumps(bound_to).encode())
    return b64encode(salt + closed).decode()


def unwrapped(key: bytes, text: str, *bound_to: str) -> bytes:
    """The key that `wrapped` closed. Raises: WrongKey."""
    raw = b64decode(text)
    try:
        cipher = _cipher(key, raw[:SALT_BYTES], b"wrap")
        return cipher.decrypt(_NONCE_OF_A_WRAP, raw[SALT_BYTES:], json.dumps(bound_to).encode())
    except InvalidTag as e:
        raise WrongKey from e


class Sealer:
    """Plain bytes of one blob in, what goes to disk out; at most a frame waits for the rest of itself."""

    def __init__(self, key: bytes, salt: bytes = b"") -> None:
        """Takes: `salt`, only to make the same bytes once more that were made with it before."""
        salt = salt or secrets.token_bytes(SALT_BYTES)
        self._cipher = _cipher(key, salt, b"blob")
        self._head = MAGIC + salt
        self._rest = bytearray()
        self._frame = 0
        self.size = 0
        """How long the blob has become on disk."""

    def feed(self, piece: Piece) -> Iterator[bytes]:
        self._rest += piece
        whole = len(self._rest) // FRAME_BYTES * FRAME_BYTES
        if whole:
            ready, self._rest = bytes(self._rest[:whole]), self._rest[whole:]
            for start in range(0, whole, FRAME_BYTES):
                yield self._sealed(ready[start : start + FRAME_BYTES])

    def end(self) -> Iterator[bytes]:
        """What is left once all has come."""
        if self._rest or not self.size:
            yield self._sealed(bytes(self._rest))

    def whole(self, data: bytes) -> bytes:
        """A blob that is in memory, as it lies on disk."""
        return b"".join([*self.feed(data), *self.end()])

    def _sealed(self, plain: bytes) -> bytes:
        closed = self._cipher.encrypt(_nonce(self._frame), plain, None) if plain else b""
        head, self._head = self._head, b""
        self._frame += 1
        self.size += len(head) + len(closed)
        return head + closed


def opened(read: Read, key: bytes, start: int, count: int) -> Iterator[bytes]:
    """The plain bytes of a blob from `start` on, some frames at a time.

    Raises: S3Error InternalError where what lies on disk is not what was written.
    """
    head = read(HEAD_BYTES, 0)
    if len(head) != HEAD_BYTES or not head.startswith(MAGIC):
        raise _damaged()
    cipher = _cipher(key, head[len(MAGIC) :], b"blob")
    frame, skipped = divmod(start, FRAME_BYTES)
    while count:
        wanted = min(FRAMES_AT_ONCE, -(-(skipped + count) // FRAME_BYTES))
        length = FRAME_BYTES + TAG_BYTES
        raw = read(wanted * length, HEAD_BYTES + frame * length)
        frames = [raw[i : i + length] for i in range(0, len(raw), length)]
        try:
            plain = b"".join(cipher.decrypt(_nonce(frame + i), closed, None) for i, closed in enumerate(frames))
        except InvalidTag as e:
            raise _damaged() from e
        piece = plain[skipped : skipped + count]
        if not piece:
            raise _damaged()
        yield piece
        count, frame, skipped = count - len(piece), frame + wanted, 0


def opened_whole(data: bytes, key: bytes | None, start: int, count: int) -> bytes:
    """A range of a blob that is in memory; without a key it lies there plain."""
    if key is None:
        return data[start : start + count]
    return b"".join(opened(lambda length, offset: data[offset : offset + length], key, start, count))


def sealed(pieces: Iterable[bytes], sealer: Sealer) -> Iterator[bytes]:
    """Pieces of one blob as they go to disk."""
    for piece in pieces:
        yield from sealer.feed(piece)
    yield from sealer.end()


def _cipher(key: bytes, salt: bytes, purpose: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt, b"weyr s3 " + purpose).derive(key))


def _nonce(frame: int) -> bytes:
    return frame.to_bytes(12, "big")


def _damaged() -> S3Error:
    return S3Error("InternalError", "The object's bytes on disk are not what was written: they do not open.")

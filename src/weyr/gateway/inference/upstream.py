"""How is a server elsewhere asked, that speaks as OpenAI's does? One request rewritten: its model, its key, its path.

Nothing of the caller goes there but the body and what it accepts: no token, no cookie, no name.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from weyr.core.routes import Fallback
from weyr.gateway.inference.asked import header_of
from weyr.gateway.inference.subjects import Subject
from weyr.gateway.inference.tally import Tally

P = TypeVar("P", bound=asyncio.BaseProtocol)
_PASSED_ON = (b"accept", b"content-type")


class Upstream:
    """One server elsewhere, and what it has cost the route so far: that is kept in the plane's table of limits."""

    def __init__(self, told: Fallback, route: str) -> None:
        self.told = told
        parts = urlsplit(told.url)
        self.is_secure = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.is_secure else 80)
        self._netloc, self._base = parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._subject = Subject(f"{route} to {told.url}")
        self._micros = 0.0

    async def dial(self, loop: asyncio.AbstractEventLoop, protocol: Callable[[], P]) -> P:
        """A connection of its own for each request: a stale one would cost a request that must not be sent twice.

        Raises: OSError, also where its certificate is not its.
        """
        context = _context() if self.is_secure else None
        _, made = await loop.create_connection(protocol, self.host, self.port, ssl=context)
        return made

    def request(self, method: bytes, path: bytes, fields: Sequence[bytes], body: bytes) -> bytes | None:
        """The request as it goes there; None for one that such a server does not know."""
        if method != b"POST" or not path.startswith(b"/v1/"):
            return None
        try:
            asked = json.loads(body)
        except ValueError:
            return None
        if not isinstance(asked, dict):
            return None
        if self.told.model:
            asked["model"] = self.told.model
        if asked.get("stream") is True:
            # Without it there is no telling what a streamed answer has cost.
            asked["stream_options"] = {**(asked.get("stream_options") or {}), "include_usage": True}
        text = json.dumps(asked).encode()
        rest = path[3:] if self._base.endswith("/v1") else path
        lines = [
            b"POST %b%b HTTP/1.1" % (self._base.encode(), rest),
            b"host: " + self._netloc.encode(),
            b"connection: close",
            b"accept-encoding: identity",
            b"content-length: %d" % len(text),
        ]
        lines += [b"%b: %b" % (name, value) for name in _PASSED_ON if (value := header_of(fields, name))]
        if self.told.key_file:
            lines.append(b"authorization: Bearer " + Path(self.told.key_file).read_bytes().strip())
        return b"\r\n".join((*lines, b"", text))

    def has_money(self, tally: Tally) -> bool:
        """Whether its budget has something left. What is under way is not known to be spent yet, and passes."""
        if self.told.budget_micros is None:
            return True
        day, month, _ = tally.used(self._subject, time.time())
        return (day if self.told.budget_per == "day" else month) < self.told.budget_micros

    def paid(self, tally: Tally, tokens: tuple[int, int]) -> None:
        """What an answer cost."""
        micros = (tokens[0] * self.told.prompt_micros + tokens[1] * self.told.completion_micros) / 1e6
        self._micros += micros
        if micros:
            tally.charge((self._subject,), 0.0, micros, time.time())

    def take_micros(self) -> int:
        """What was paid since this was last asked, in whole millionths; the rest is told another time."""
        micros = int(self._micros)
        self._micros -= micros
        return micros


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    # Loads the machine's certificates, which takes 20 ms: only who falls back pays.
    return ssl.create_default_context()

"""What does a caller ask? The head as it goes on to a replica, and of the body what has come and is not sent yet.

Most heads name nothing but their host, a token and a length; whatever else concerns this hop is looked at only where a
head has it.
"""

from functools import lru_cache

from weyr.core.api_keys import PRIORITIES
from weyr.wire.traces import TRACEPARENT

NORMAL = PRIORITIES["normal"]
REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""Methods that may be sent twice: they change nothing. Everything else is sent at most once."""
KNOWN_MAX = 4096

_OURS = frozenset({
    b"authorization", b"connection", b"content-length", b"expect", b"host", b"keep-alive", b"proxy-authorization",
    b"proxy-connection", b"request-timeout", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"x-priority", b"x-request-timeout",
})  # fmt: skip
"""Headers that concern this hop. They are not passed on; above all the caller's token is not."""
FORWARDED = b"x-forwarded-for"
"""For whom a proxy asks."""
_KEPT = frozenset({b"host", b"request-timeout", b"x-priority", b"x-request-timeout"})
"""Those that concern the replica as well."""
_USUAL = frozenset({b"authorization", b"content-length", b"host"})
_KEY_HEADERS = (b"x-api-key", b"api-key")
"""Where Anthropic's and Azure's clients put their keys."""


class _Known(dict[bytes, bytes]):
    """By the name of a header as it is written: its name in small letters where it says something to us, else b""."""

    def __missing__(self, name: bytes) -> bytes:
        lowered = name.lower()
        known = lowered if lowered in _OURS or lowered in (TRACEPARENT, FORWARDED) else b""
        if len(self) < KNOWN_MAX:
            self[name] = known
        return known


KNOWN = _Known()


class Request:
    """One request. `fields` are its headers as they go on, four words each: name, colon, value, end of the line;
    `special` those that concern this hop. `pieces` is what came of its body and is not yet sent, framed as it will be;
    `buffered` counts their bytes and `received` all of the body's so far. `kept` is the body put aside. `is_plain`: no
    header says anything unusual to us."""

    __slots__ = (
        "body_max", "buffered", "closes", "expects", "fields", "forwarded", "framing", "head", "is_chunked", "is_plain",
        "is_whole", "kept", "length", "method", "name", "path", "pieces", "problem", "received", "special", "target",
        "token", "traceparent", "upgrades",
    )  # fmt: skip

    def __init__(self, body_max: int) -> None:
        self.method = self.target = self.name = self.path = self.head = self.framing = b""
        self.token = ""
        self.fields: list[bytes] = []
        self.special: dict[bytes, bytes] = {}
        self.traceparent: bytes | None = None
        self.forwarded: bytes | None = None
        self.is_plain = True
        self.is_chunked = self.expects = self.upgrades = self.closes = self.is_whole = False
        self.problem: tuple[int, str] | None = None
        self.length = self.buffered = self.received = 0
        self.body_max = body_max
        self.pieces: list[bytes] = []
        self.kept: bytearray | None = None

    def passes_on(self, name: bytes, value: bytes) -> bool:
        """Takes a header that says something to us. Whether it says something to the replica as well."""
        if name == TRACEPARENT:
            self.traceparent = value
            return True
        if name == FORWARDED:
            self.forwarded = value
            return True
        if name in self.special:
            # Joined, as HTTP says of repeated headers: two tokens are then no token.
            value = b"%b, %b" % (self.special[name], value)
            self.is_plain = False
        elif name not in _USUAL:
            self.is_plain = False
        self.special[name] = value
        return name in _KEPT

    def complete(self, method: bytes, version: str, keeps_alive: bool) -> None:
        """The head is whole: what it says, what is wrong with it, and how it goes on."""
        special = self.special
        self.method = method
        self.name, self.path = _split(self.target)
        self.closes = not keeps_alive
        authorization = special.get(b"authorization")
        self.token = _bearer(authorization) if authorization else self._key_taken_out()
        fields = self.fields
        framing = b""
        if b"content-length" in special:
            self.length = int(special[b"content-length"])
            framing = b"content-length: %d\r\n" % self.length
        if not self.is_plain:
            fields = self._without_named()
            self.is_chunked = b"transfer-encoding" in special
            self.upgrades = _is_websocket(method, special)
            self.expects = b"expect" in special
            if self.upgrades:
                self.closes, framing = True, b"connection: upgrade\r\nupgrade: websocket\r\n"
            elif self.is_chunked:
                framing = b"transfer-encoding: chunked\r\n"
        self.framing = framing
        begin = b" HTTP/1.1\r\n" if version == "1.1" else b" HTTP/1.0\r\n"
        self.head = b"".join((method, b" ", self.path, begin, *fields, framing, b"\r\n"))
        if self.head.count(b"\n") != len(fields) // 4 + 2 + (2 if self.upgrades else bool(framing)):
            self.problem = 400, "a header may not be folded over lines"
        elif self.length > self.body_max:
            self.problem = 413, f"the body is over {self.body_max} bytes"
        elif not self.is_plain and special.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            self.problem = 501, "the only transfer encoding is chunked"
        elif not self.is_plain and special.get(b"expect", b"100-continue").lower() != b"100-continue":
            self.problem = 417, "the only expectation is 100-continue"
        elif version == "1.1" and b"host" not in special:
            self.problem = 400, "a request in HTTP/1.1 names its Host"

    def _key_taken_out(self) -> str:
        """The key of a caller who shows it in a header of its own. The replica does not see it."""
        for at in range(0, len(self.fields), 4):
            if self.fields[at].lower() in _KEY_HEADERS:
                key = self.fields[at + 2]
                del self.fields[at : at + 4]
                return key.decode("latin-1")
        return ""

    def _without_named(self) -> list[bytes]:
        """The headers that the caller's own Connection header does not keep to this hop."""
        words = self.special.get(b"connection", b"").split(b",")
        named = {word.strip().lower() for word in words} - {b"close", b"keep-alive", b""}
        if not named:
            return self.fields
        fields = [self.fields[at : at + 4] for at in range(0, len(self.fields), 4)]
        return [word for field in fields if field[0].lower() not in named for word in field]


def _is_websocket(method: bytes, special: dict[bytes, bytes]) -> bool:
    """Whether a caller wants to go on in WebSocket; every other offer to become something else is declined."""
    if special.get(b"upgrade", b"").strip().lower() != b"websocket" or method != b"GET":
        return False
    has_body = b"content-length" in special or b"transfer-encoding" in special
    return not has_body and b"upgrade" in special.get(b"connection", b"").lower()


@lru_cache(maxsize=1024)
def _bearer(authorization: bytes) -> str:
    """The token of `Bearer TOKEN`, "" for another scheme."""
    scheme, _, token = authorization.partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


@lru_cache(maxsize=1024)
def _split(target: bytes) -> tuple[bytes, bytes]:
    """`/stack/endpoint/rest?query` → (`stack/endpoint`, `/rest?query`)."""
    if not target.startswith(b"/"):
        # The absolute form, `http://host/path`, which proxies are sent.
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    path, mark, query = target.partition(b"?")
    _, *words = path.split(b"/", 3)
    rest = words[2] if len(words) > 2 else b""
    return b"/".join(words[:2]), b"".join((b"/", rest, mark, query))

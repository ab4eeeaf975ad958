"""What does a request's head say? Taken as it arrives, within bounds, and refused where it can be read in two ways."""

from weyr.gateway.s3.messages import Body, Request

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 200
VERSIONS = ("1.0", "1.1")


class HeadRefused(Exception):
    """This is no request that can be answered by anybody. `is_too_long` is the commonest reason."""

    def __init__(self, reason: str, is_too_long: bool = False) -> None:
        super().__init__(reason)
        self.is_too_long = is_too_long


class Head:
    """One request's head, of which the parser gives us piece after piece. Raises: HeadRefused, from any of these."""

    __slots__ = ("_size", "_target", "headers")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self._target = b""
        self._size = 0

    def take_target(self, piece: bytes) -> None:
        self._target += piece
        self._count(len(piece))

    def take_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self.headers.get(key)
        self.headers[key] = text if known is None else f"{known},{text}"
        if len(self.headers) > HEADERS_MAX:
            raise HeadRefused("too many headers", is_too_long=True)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > HEAD_BYTES_MAX:
            raise HeadRefused("the request's head is too long", is_too_long=True)

    def request(self, method: str, version: str, body: Body, is_kept_alive: bool, peer: str) -> Request:
        """The whole. One host is asked, or whoever stands between us and the client may take it for another's."""
        host = self.headers.get("host", None if version == "1.1" else "")
        if version not in VERSIONS or host is None or "," in host:
            raise HeadRefused("the version or the host is not clear")
        target = self._target.decode("latin-1")
        if not target.startswith("/"):
            target = _origin_of(target, self.headers)
        path, _, query = target.partition("?")
        return Request(method, path, query, self.headers, body, is_kept_alive, peer)


def _origin_of(target: str, headers: dict[str, str]) -> str:
    """The path and query of a target that names its host too, as clients of a proxy send it (RFC 9112, 3.2.2)."""
    scheme, mark, rest = target.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        return target
    end = next((at for at, sign in enumerate(rest) if sign in "/?"), len(rest))
    headers["host"] = rest[:end]
    return rest[end:] if rest[end:].startswith("/") else f"/{rest[end:]}"

"""Does a caller send the head that he sent before? Then it is not parsed again.

Clients that keep a connection repeat themselves: all that differs from one head to the next is the length of the body.
What is taken without httptools is what httptools has understood on this connection already, byte for byte but for the
digits of that length, so nothing is accepted that it would refuse.
"""

from weyr.gateway.inference.request import Request

HEAD_MAX = 4096
_FIELD = b"\r\ncontent-length: "
_DIGITS_MAX = 9
"""Far from where a length overflows."""


class Known:
    """A head that was understood: `before` the digits of its body's length, and `after` them, which is b"" where it
    names no length."""

    __slots__ = (
        "_after", "_at", "_before", "_fields", "_forwarded", "_line", "_method", "_name", "_path", "_size", "_target",
        "_token", "_traceparent",
    )  # fmt: skip

    def __init__(self, request: Request, before: bytes, after: bytes) -> None:
        self._before, self._after = before, after
        self._at = len(before)
        self._size = self._at + len(after)
        self._line = request.head[: -len(request.framing) - 2]
        self._method, self._target, self._token = request.method, request.target, request.token
        self._name, self._path = request.name, request.path
        self._fields, self._traceparent, self._forwarded = request.fields, request.traceparent, request.forwarded

    def body_at(self, data: bytes) -> int:
        """Where the body begins, if `data` is this head once more with the whole of a body; else 0."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return 0
        if not after:
            return self._size if len(data) == self._size else 0
        at = self._at
        end = data.find(b"\r", at, at + _DIGITS_MAX + 1)
        digits = data[at:end]
        if end < 0 or not digits.isdigit() or not data.startswith(after, end):
            return 0
        begin = self._size + end - at
        return begin if len(data) - begin == int(digits) else 0

    def tell(self, request: Request, body: bytes) -> None:
        """Writes into a new request what this head says, and that it is whole."""
        request.method, request.target, request.token = self._method, self._target, self._token
        request.name, request.path = self._name, self._path
        request.fields, request.traceparent, request.forwarded = self._fields, self._traceparent, self._forwarded
        request.is_whole = True
        size = len(body)
        if self._after:
            request.framing = b"content-length: %d\r\n" % size
            request.head = b"%b%b\r\n" % (self._line, request.framing)
        else:
            request.head = self._line + b"\r\n"
        if body:
            request.length = request.received = request.buffered = size
            request.pieces = [body]


def known_of(data: bytes, request: Request) -> Known | None:
    """What is known of a head from now on, where `data` was the whole of `request` and nothing else.

    None where anything in it is unusual: then every head of its kind is parsed.
    """
    if not request.is_whole or not request.is_plain or request.closes or request.problem:
        return None
    end = data.find(b"\r\n\r\n") + 4
    if not 4 < end <= HEAD_MAX or len(data) != end + request.length:
        return None
    if not request.framing:
        return Known(request, data[:end], b"")
    at = data[:end].lower().find(_FIELD) + len(_FIELD)
    till = data.find(b"\r", at)
    if at < len(_FIELD) or not data[at:till].isdigit():
        return None
    return Known(request, data[:at], data[till:end])

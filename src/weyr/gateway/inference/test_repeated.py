"""Is a head that is not parsed again understood as if it were? httptools is asked the same."""

import httptools
from hypothesis import example, given
from hypothesis import strategies as st

from weyr.gateway.inference.repeated import known_of
from weyr.gateway.inference.request import KNOWN, Request

BODY_MAX = 2**20
FIELDS = [
    b"Host: x", b"host:  y ", b"Authorization: Bearer t", b"X-API-Key: k", b"Accept: */*", b"X-Beta: 1",
    b"traceparent: 00-1-2-01", b"Content-Length: 2", b"content-length: 002", b"Content-Length:2", b"Content-Length: 2 ",
    b"Content-Length: +2", b"Content-Length: 2, 2", b"Content-Length: 0", b"Content-Length : 2", b"Content-Length: 0x2",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"transfer-encoding : chunked", b"Expect: 100-continue",
    b"Upgrade: websocket", b"Connection: upgrade", b"Connection: close", b"Connection: x-beta", b"X: a\rb", b"X: a\nb",
    b"X: a\x00b", b" folded", b"\tcontent-length: 2", b"X\x80: 1", b"X: \xff", b"no colon", b"", b": nameless",
    b"x-priority: low", b"X: \r\n\r\nPOST /a/b HTTP/1.1",
]  # fmt: skip
LINES = [b"POST /a/b/c HTTP/1.1", b"GET /a/b?q HTTP/1.1", b"POST /a/b HTTP/1.0", b"HEAD / HTTP/1.1",
         b"post / HTTP/1.1", b"POST  /a HTTP/1.1", b"\r\nPOST /a/b HTTP/1.1",
         b"POST http://h/a/b HTTP/1.1", b"POST /a/b HTTP/1.2"]  # fmt: skip
BODIES = [b"", b"{}", b"{", b"{}\r\n", b"\r\n", b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"x" * 12,
          b"GET /a/b HTTP/1.1\r\nHost: x\r\n\r\n"]  # fmt: skip
ENDS = [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\r\r"]


def written(
    line: bytes, before: list[bytes], length: bytes | None, after: list[bytes], end: bytes, body: bytes
) -> bytes:
    lengths = [] if length is None else [b"Content-Length: " + length]
    return b"\r\n".join((line, b"Host: x", *before, *lengths, *after)) + end + body


understood = st.lists(st.sampled_from(FIELDS[2:7]), max_size=2, unique=True)
any_fields = st.lists(st.sampled_from(FIELDS), max_size=2)
firsts = st.tuples(st.sampled_from(LINES[:2]), understood, st.sampled_from([b"2", b"2", b"02", None]), understood)
seconds = st.tuples(
    st.none() | st.sampled_from(LINES), st.none() | any_fields,
    st.none() | st.sampled_from([b"0", b"2", b"02", b"12", b"2 ", b"", b"-2", b"+2", b"9999999999", b"2\r\nX: y"]),
    st.none() | any_fields, st.sampled_from([b"\r\n\r\n", *ENDS]), st.sampled_from([b"{}", *BODIES]),
)  # fmt: skip
changes = st.none() | st.tuples(
    st.integers(0, 400), st.binary(max_size=2) | st.sampled_from([b"\r\n", b"0", b"9", b" "]), st.integers(0, 2)
)
First = tuple[bytes, list[bytes], bytes | None, list[bytes]]
Second = tuple[bytes | None, list[bytes] | None, bytes | None, list[bytes] | None, bytes, bytes]
Change = tuple[int, bytes, int] | None
PLAIN: First = (LINES[0], [], b"2", [])


class Parsed:
    """What httptools makes of a connection that begins with `data`, as the plane writes it down."""

    def __init__(self, data: bytes) -> None:
        self.requests: list[Request] = []
        self.is_refused = False
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.is_refused = True

    def on_message_begin(self) -> None:
        self.requests.append(Request(BODY_MAX))

    def on_url(self, url: bytes) -> None:
        self.requests[-1].target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request, known = self.requests[-1], KNOWN[name]
        if not known or request.passes_on(known, value):
            request.fields += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        parser = self._parser
        self.requests[-1].complete(parser.get_method(), parser.get_http_version(), parser.should_keep_alive())

    def on_body(self, piece: bytes) -> None:
        request = self.requests[-1]
        request.received += len(piece)
        request.buffered += len(piece)
        request.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.requests[-1].is_whole = True


def told(request: Request) -> dict[str, object]:
    """All that is known of it. `special` only says what made `length` and `token`."""
    names = [name for name in Request.__slots__ if name != "special"]
    return {name: getattr(request, name) for name in names} | {"pieces": b"".join(request.pieces)}


@given(first=firsts, second=seconds, change=changes)
@example(PLAIN, (None, None, None, [b"Content-Length: 0"], ENDS[0], b"{}"), None)
@example(PLAIN, (None, None, None, [b"Transfer-Encoding: chunked"], ENDS[0], b"{}"), None)
@example(PLAIN, (None, None, None, None, ENDS[0], b"{}GET /"), None)
@example(PLAIN, (None, None, b"+2", None, ENDS[0], b"{}"), None)
@example(PLAIN, (None, None, b"12", None, ENDS[0], b"x" * 12), None)
def test_what_is_not_parsed_again_is_what_httptools_would_have_understood(
    first: First, second: Second, change: Change
) -> None:
    """No request is smuggled past the parser: the short way takes one whole message or leaves it to httptools."""
    data = written(*first, ENDS[0], b"" if first[2] is None else b"{}")
    known = known_of(data, Parsed(data).requests[0])
    if known is None:
        return
    # Each part is that of the first request, or another.
    (line, before, length, after), (line_2, before_2, length_2, after_2, end, body) = first, second
    other = written(
        line_2 or line, before if before_2 is None else before_2, length if length_2 is None else length_2,
        after if after_2 is None else after_2, end, body,
    )  # fmt: skip
    if change is not None:
        at, put, cut = change
        at %= len(other) + 1
        other = other[:at] + put + other[at + cut :]
    body_at = known.body_at(other)
    if not body_at:
        return
    again = Parsed(other)
    assert not again.is_refused
    assert len(again.requests) == 1
    short = Request(BODY_MAX)
    known.tell(short, other[body_at:])
    assert told(short) == told(again.requests[0])


def test_a_client_that_repeats_itself_is_not_parsed_again() -> None:
    """The short way is there for bodies of any length, or it would only ever help a benchmark."""
    begin = b"POST /a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: "
    known = known_of(begin + b"2\r\nX: y\r\n\r\n{}", Parsed(begin + b"2\r\nX: y\r\n\r\n{}").requests[0])
    assert known is not None
    for body in (b"", b"{}", b"x" * 12_345):
        data = begin + b"%d\r\nX: y\r\n\r\n%b" % (len(body), body)
        request = Request(BODY_MAX)
        known.tell(request, data[known.body_at(data) :])
        assert told(request) == told(Parsed(data).requests[0])


def test_half_a_body_is_left_to_the_parser() -> None:
    """It knows how to wait for the rest."""
    data = b"POST /a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n1234"
    known = known_of(data, Parsed(data).requests[0])
    assert known is not None
    assert known.body_at(data)
    assert not known.body_at(data[:-1])
    assert not known.body_at(data + b"G")

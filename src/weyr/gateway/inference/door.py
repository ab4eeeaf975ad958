"""What does a caller ask? One connection from outside: heads are read and written anew, bodies pass as they come.

Requests of one connection are answered in their order. What a caller may make this process keep is bounded:
reading pauses while a replica is slower than the caller, while a request is held, and while another comes first.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from weyr.gateway.inference.aside import HOLD_MAX, keep
from weyr.gateway.inference.exchange import Exchange
from weyr.gateway.inference.repeated import Known, known_of
from weyr.gateway.inference.request import KNOWN
from weyr.gateway.inference.trials import check_silence
from weyr.gateway.inference.uses import is_here

if TYPE_CHECKING:
    from weyr.gateway.inference.plane import Plane

HEAD_MAX = 64 * 2**10
PIPELINE_MAX = 64
LINGER_S = 1.0


class Door(asyncio.Protocol):
    """One caller. `current` is the exchange whose answer comes next."""

    def __init__(self, plane: "Plane") -> None:
        self.plane = plane
        self.loop = plane.loop
        self.current: Exchange | None = None
        self.is_full = False
        self.is_closing = False
        self.is_tunnel = False
        self.is_far = False
        """Whether whoever is at the other end is on another machine."""
        self._queue: deque[Exchange] = deque()
        self._incoming: Exchange | None = None
        self._is_advancing = False
        self.is_paused = False
        self._is_in_head = False
        self._is_deaf = False
        self._is_resuming = False
        self._is_upgrading = False
        self._head_size = 0
        self._heard_at = self._head_at = plane.now
        self._problem: tuple[int, str] | None = None
        self._known: Known | None = None
        """The head of the request before, if there was nothing unusual in it."""
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's, only alike.
        self.transport = cast(asyncio.Transport, transport)
        self.is_far = not is_here(_address(transport, "peername"), _address(transport, "sockname"))
        self.plane.doors.add(self)
        if len(self.plane.doors) > self.plane.bounds.doors_max:
            self._broken(503, f"{self.plane.bounds.doors_max} callers are connected already")
            self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        self.plane.doors.discard(self)
        self.is_closing = True
        self._queue.clear()
        if self.current is not None:
            current, self.current = self.current, None
            if not current.is_over:
                current.cancel()

    def data_received(self, data: bytes) -> None:
        if self.is_closing or self._is_deaf:
            return
        self._heard_at = self.plane.now
        is_between = self.current is None and self._incoming is None and not (self._queue or self._is_in_head)
        if is_between and self._known is not None and not self.is_full and self._is_repeated(self._known, data):
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as e:
            if not self._is_upgrading:
                self._decline_upgrade(data[e.args[0] :])
                return
            self._is_deaf = True  # who asks for another protocol speaks again once it is agreed
        except httptools.HttpParserError:
            self._broken(*(self._problem or (400, "this is not an HTTP/1.1 request")))
        if self._is_in_head:
            self._head_size += len(data)
            if self._head_size > HEAD_MAX:
                self._broken(431, f"the head is over {HEAD_MAX} bytes")
        if is_between and self._queue:
            self._known = known_of(data, self._queue[0])
        current = self.current
        if current is None:
            if self._queue:
                self._advance()
                current = self.current
        elif current.line is not None and current.pieces:
            current.flush()
        elif current.is_gathering:
            current.go()
        if current is not None and (self._queue or not current.is_whole):
            self.adjust_reading()

    def pause_writing(self) -> None:
        self.is_full = True
        if self.current and self.current.line:
            self.current.line.hold_back(True)

    def resume_writing(self) -> None:
        self.is_full = False
        if self.current and self.current.line:
            self.current.line.hold_back(False)
        self._advance()

    def adjust_reading(self) -> None:
        """Reads on if what comes can go somewhere."""
        current = self.current
        if current is None:
            is_stuck = bool(self._queue)
        elif self._queue:
            is_stuck = True
        else:
            is_stuck = current.line.is_full if current.line else current.buffered > HOLD_MAX
        if is_stuck == self.is_paused or self.transport.is_closing():
            return
        self.is_paused = is_stuck
        if is_stuck:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def finished(self, exchange: Exchange, closes: bool) -> None:
        """The answer to `exchange` is out: the next one's turn."""
        self.current = None
        if closes or exchange.closes or self.plane.is_draining:
            self._shut(exchange.is_whole)
        elif not self._is_advancing and (self._queue or self.is_paused):
            self._advance()
            self.adjust_reading()

    def check(self, now: float) -> None:
        """Ends what takes too long. Called about once a second."""
        if self.is_tunnel:
            return
        bounds, current, silent_s = self.plane.bounds, self.current, now - self._heard_at
        if current is None and not self._queue:
            if self._is_in_head and now - self._head_at > bounds.head_s:
                self._broken(408, f"the head was not whole after {bounds.head_s:g} s")
                self._advance()
            elif silent_s > bounds.idle_s:
                self.transport.close()
        elif self._incoming is not None and not self.is_paused:
            if silent_s > bounds.body_s:
                self._broken(408, f"nothing more of the body came for {bounds.body_s:g} s")
                self._advance()
        elif current and current.line:
            check_silence(current, now - current.line.heard_at, bounds.answer_s)

    def close_if_idle(self, idle_s: float) -> None:
        """For a plane that ends: no next request on this connection, once nothing was heard for so long."""
        is_idle = self.current is None and not self._queue and not self.transport.is_closing()
        if is_idle and self.loop.time() - self._heard_at >= idle_s:
            self.transport.close()

    def _is_repeated(self, known: Known, data: bytes) -> bool:
        """Whether this is the request before once more, but for its body; then it begins."""
        at = known.body_at(data)
        if not at or len(data) - at > self.plane.bounds.body_max:
            return False
        self.current = exchange = Exchange(self)
        known.tell(exchange, data[at:])
        exchange.start()
        return True

    # What httptools calls while it reads.

    def on_message_begin(self) -> None:
        if self._is_resuming:
            return
        self._heading = Exchange(self)
        self._head_size = 0
        self._head_at = self.plane.now
        self._is_in_head = True

    def on_url(self, url: bytes) -> None:
        if not self._is_resuming:
            self._heading.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_resuming:
            return
        request, known = self._heading, KNOWN[name]
        if known and not request.passes_on(known, value):
            return
        request.fields += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        if self._is_resuming:
            return
        self._is_in_head = False
        exchange, parser = self._heading, self._parser
        exchange.complete(parser.get_method(), parser.get_http_version(), parser.should_keep_alive())
        self._is_upgrading = exchange.upgrades
        self._incoming = exchange
        self._queue.append(exchange)

    def on_body(self, piece: bytes) -> None:
        exchange = self._incoming
        assert exchange is not None
        size = len(piece)
        exchange.received += size
        if exchange.received > exchange.body_max:
            self._refuse(413, f"the body is over {exchange.body_max} bytes")
        if exchange.is_over:
            return
        exchange.buffered += size
        if exchange.capture is not None:
            exchange.capture.asked(piece)
        if exchange.kept is not None:
            keep(exchange, piece)
        if exchange.is_chunked:
            exchange.pieces += (b"%x\r\n" % size, piece, b"\r\n")
        else:
            exchange.pieces.append(piece)

    def on_message_complete(self) -> None:
        if not self._is_upgrading and self._heading.framing and self._parser.should_upgrade():
            # httptools says so at the end of the head; the body is still to come.
            return
        exchange, self._incoming = self._incoming, None
        assert exchange is not None
        exchange.is_whole = True
        if exchange.is_chunked and not exchange.is_over:
            exchange.pieces.append(b"0\r\n\r\n")
        if len(self._queue) > PIPELINE_MAX:
            self._refuse(400, f"more than {PIPELINE_MAX} requests wait on one connection")

    def _decline_upgrade(self, rest: bytes) -> None:
        """Goes on in HTTP/1.1: what the caller offers to become may be ignored, what it asked may not.

        httptools takes an upgrade for the end of the message, body or not. Where there is a body, a new parser is
        brought to its beginning by a head of ours, or the body would be read as somebody's next request.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self._incoming is not None:
            self._is_resuming = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % self._heading.framing)
            self._is_resuming = False
        self.data_received(rest)

    def _refuse(self, status: int, message: str) -> None:
        """Ends the reading: httptools turns the exception into one of its own."""
        self._problem = (status, message)
        raise ValueError(message)

    def _broken(self, status: int, message: str) -> None:
        """Nothing that follows on this connection can be understood. What came before is still answered."""
        exchange, self._incoming = self._incoming, None
        self._is_in_head = False
        if exchange is None:
            exchange = Exchange(self)
            self._queue.append(exchange)
        if exchange is self.current:
            exchange.refuse(status, message)
        else:
            exchange.problem, exchange.is_whole = (status, message), False
        self._is_deaf = True

    def _advance(self) -> None:
        if self._is_advancing:
            return
        self._is_advancing = True
        while self.current is None and self._queue and not self.is_full and not self.is_closing:
            self.current = self._queue.popleft()
            self.current.start()
        self._is_advancing = False

    def _shut(self, is_whole: bool) -> None:
        """Ends the connection. Closing over unread bytes would reset it and take the last answer with it."""
        self.is_closing = True
        is_clean = is_whole and not self._queue and not self.is_paused
        self._queue.clear()
        if is_clean or self.transport.is_closing():
            self.transport.close()
            return
        self.transport.write_eof()
        if self.is_paused:
            self.transport.resume_reading()
        self.loop.call_later(LINGER_S, self.transport.close)


def _address(transport: asyncio.BaseTransport, end: str) -> str:
    """ "" for a Unix socket, whose ends are on one machine."""
    named = transport.get_extra_info(end)
    return str(named[0]) if isinstance(named, tuple) and named else ""

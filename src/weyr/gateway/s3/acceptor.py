"""Which process takes the next connection? The one that serves the fewest, and after a moment whoever can.

All processes watch one listening socket. One connection is taken at a time: whoever took all that wait would leave the
other processes idle.
"""

import asyncio
import errno
import logging
import socket

from weyr.gateway.s3.http import Site

YIELD_S = 0.001
"""How long a process leaves a connection to one that serves fewer. That one may be busy, stopped or dead."""
NO_HANDLES_S = 0.1
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger("weyr.s3")


class Acceptor:
    """Takes connections from `listener` for a site until it is closed. To be made on the loop's thread."""

    def __init__(self, listener: socket.socket, site: Site) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._site = site
        self._is_open = True
        self._opening: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._watch()

    def close(self) -> None:
        """Takes no more. The socket stays: another process may listen on it."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener.fileno())

    def _watch(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener.fileno(), self._offered)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(seconds, self._watch)

    def _offered(self) -> None:
        if self._site.counter.has_more_than_others():
            self._loop.remove_reader(self._listener.fileno())
            self._loop.call_later(YIELD_S, self._take_left)
        else:
            self._take()

    def _take_left(self) -> None:
        """Takes what nobody took; whatever comes later is left to others anew."""
        self._watch()
        if self._is_open:
            self._take()

    def _take(self) -> None:
        try:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (BlockingIOError, ConnectionError):
            return  # another process was quicker, or the client has gone
        except OSError as e:
            if e.errno not in _SCARCE:
                raise
            log.error("s3.no_more_connections %s", e)
            self._pause(NO_HANDLES_S)
            return
        task = self._loop.create_task(self._opened(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _opened(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._site.connect, connection)
        except OSError:
            connection.close()  # the client has gone meanwhile

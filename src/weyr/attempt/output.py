"""How does what a process writes get into a task's log? By a pipe that is read while it is no flood.

Standard library only: the wrappers import this.
"""

import os
import select

from weyr.attempt.logs import TaskLog

READ_BYTES = 65536
PIPE_READS_MAX = 64


class Output:
    """The reading end of a pipe, `fd`, -1 once it is closed. Registered with `poll` for as long as it is open."""

    def __init__(self, fd: int, log: TaskLog, poll: select.poll) -> None:
        self.fd, self._log, self._poll = fd, log, poll
        poll.register(fd, select.POLLIN)

    def rest_s(self) -> float:
        """How long not to read, as it is a flood; 0 while it is none. Says so to the poll."""
        if self.fd < 0:
            return 0.0
        rest_s = self._log.wait_s()
        self._poll.modify(self.fd, 0 if rest_s else select.POLLIN)
        return rest_s

    def pump(self) -> bool:
        """Moves a piece of it to the log; False where there is none just now."""
        try:
            chunk = os.read(self.fd, READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self.close()
            return False
        self._log.write(chunk)
        return True

    def drain(self) -> None:
        """Takes what was written last: at most what a pipe can hold, as there is nobody left to write."""
        for _ in range(PIPE_READS_MAX):
            if self.fd < 0 or not self.pump():
                break
        self.close()

    def close(self) -> None:
        """Stops listening: a closed pipe would be reported for ever while the task, or its upload, goes on."""
        if self.fd >= 0:
            self._poll.unregister(self.fd)
            os.close(self.fd)
            self.fd = -1

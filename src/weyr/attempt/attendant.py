"""The checkpoint agent beside a task: how is it started, heard, and let finish?

It restores before the task begins, saves while it runs, and once more when its input is closed. It says what
it did in lines of JSON on its output; other words of it go to the task's log. One that is killed while the task
runs is followed by another, which only saves. Standard library only.
"""

import contextlib
import json
import os
import select
import signal

from weyr.attempt import processes
from weyr.attempt.logs import TaskLog
from weyr.attempt.spawn import Recruit

READ_BYTES = 65536
REPLACEMENTS_MAX = 5


class Attendant:
    """One agent. `pid` is 0 while none runs; `kill_at` is when it has had time enough (monotonic).

    Its `output` is registered with `poll` for as long as there is something to hear.
    """

    def __init__(self, argv: list[str], env: dict[str, str], log: TaskLog, poll: select.poll) -> None:
        self._argv, self._env, self._log, self._poll = argv, env, log, poll
        self._replacements = 0
        self._input = -1
        self._rest = b""
        self.pid = 0
        self.output = -1
        self.is_restoring = False
        self.restored = self.saved = ""
        self._first_at, self._each_s = 0.0, 0.0
        self.kill_at = float("inf")

    def start(self) -> str:
        """Begins to restore. Gives why it could not, or ""."""
        error = self._begin(self._argv)
        self.is_restoring = not error
        return error

    def _begin(self, argv: list[str]) -> str:
        input_end, self._input = os.pipe2(os.O_CLOEXEC)
        self.output, output_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)
        recruit = Recruit(input_end, output_end)
        self.pid, error = recruit.pid, recruit.become(argv, "/", self._env)
        os.close(input_end)
        os.close(output_end)
        self._poll.register(self.output, select.POLLIN)
        return error

    def ended(self) -> None:
        """Its process is gone."""
        self.pid = 0
        self._replace()

    def _replace(self) -> None:
        """Starts another where it ended though nobody asked it to: what the task saves from here on counts too.

        Only once its process is gone and all that it said was heard.
        """
        is_wanted = self._input >= 0 and not self.is_restoring
        if self.pid or self.output >= 0 or not is_wanted or self._replacements >= REPLACEMENTS_MAX:
            return
        self._replacements += 1
        os.close(self._input)
        error = self._begin([word for word in self._argv if word != "--restore-first"])
        self._log.say(f"checkpoint: its agent ended and {error or 'is started again'}")

    def hear(self) -> list[str]:
        """Takes its reports; gives the events in them. Closes the output once the agent has."""
        try:
            text = os.read(self.output, READ_BYTES) if self.output >= 0 else b""
        except BlockingIOError:
            return []
        if not text and self.output >= 0:
            self._poll.unregister(self.output)
            os.close(self.output)
            self.output = -1
            self._replace()
        *lines, self._rest = (self._rest + text).split(b"\n")
        return [event for line in lines if (event := self._take(line))]

    def learnt(self, started_at: float | None) -> dict[str, str | float | None]:
        """What a task's state has from it. `startup_s` is what its program needed from its start until it went on: its
        first checkpoint came so much later than one usually follows another. None where it did not write two."""
        startup_s = None
        if self._first_at and started_at:
            startup_s = round(max(0.0, self._first_at - started_at - self._each_s), 3)
        return {"restored": self.restored, "saved": self.saved, "startup_s": startup_s}

    def hurry(self) -> None:
        """The task is about to end: what it saves now is worth an upload at once."""
        if self.pid and self._input >= 0:
            with contextlib.suppress(OSError):
                os.write(self._input, b"hurry\n")

    def finish(self, until: float) -> None:
        """Closes its input: it saves what is new and ends, or is killed at `until`."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1
        self.kill_at = min(self.kill_at, until)

    def kill_if_due(self, now: float) -> None:
        if self.pid and now >= self.kill_at:
            processes.signal_all([self.pid], signal.SIGKILL)

    def _take(self, line: bytes) -> str:
        try:
            report = json.loads(line)
            event, name = str(report["event"]), str(report.get("name", ""))
            if event == "paced" and not self._replacements:
                # Another one does not know when the first was written.
                self._first_at, self._each_s = float(report["first_at"]), float(report["each_s"])
        except (ValueError, KeyError, TypeError, AttributeError):
            self._log.say(f"checkpoint: {line.decode(errors='replace')[:500]}")
            return ""
        if event == "restored":
            self.is_restoring, self.restored = False, name
            self._log.say(f"resumes from checkpoint {name}" if name else "no checkpoint yet: begins from the start")
        elif event == "saved":
            self.saved = name
            self._log.say(f"checkpoint {name} is saved")
        return event

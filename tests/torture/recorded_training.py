"""`recorded_training.py RECORD TRAIN [ARGUMENT ...]`: runs the example's training, and writes down itself when it did.

Each process that ever runs appends lines to RECORD: that it began, a beat every few hundredths of a second, how it
ended. The file is the task's own word, written by nobody of Weyr's, so two that ran at once are seen in it whatever
Weyr believes. Beside it lies a lock that the kernel gives to one process and takes back the moment it dies.
"""

import fcntl
import json
import os
import runpy
import sys
import threading
import time

BEAT_S = 0.03


class Record:
    """The append-only file. A line is one write, so that lines of two processes never mix."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def say(self, what: str, **more: object) -> None:
        line = {"what": what, "task": os.environ["WEYR_TASK_ID"], "pid": os.getpid(), "at": time.time(), **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def begin(self) -> None:
        self.say("begin")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.say("twice")  # another process of this job lives: exactly what must never be

    def beat(self, is_over: threading.Event) -> None:
        while not is_over.wait(BEAT_S):
            self.say("beat")


def main(path: str, train: str, *arguments: str) -> None:
    record = Record(path)
    record.begin()
    is_over = threading.Event()
    threading.Thread(target=record.beat, args=(is_over,), daemon=True).start()
    sys.argv = [train, *arguments]
    code: object = 0
    try:
        runpy.run_path(train, run_name="__main__")
    except SystemExit as e:
        code = e.code or 0
        raise
    finally:
        is_over.set()
        record.say("end", code=code)


if __name__ == "__main__":
    main(*sys.argv[1:])

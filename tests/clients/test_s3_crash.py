"""kill -9 at any moment: every acknowledged object is there and whole, nothing half-written seen, no space lost."""

import os
import signal
import threading
import time
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from s3_plane import S3Plane, running_s3
from s3_shelf import fsck, leaks
from s3_writers import Slot, State, Writer, allowed_at, disagreements, observed, prepare

WRITERS = 4


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path, kills: int) -> None:
    """As often as is asked: writers of all kinds at work, a process or all of them killed, and everything read."""
    held: dict[Slot, State] = {}
    with running_s3(tmp_path) as s3:
        prepare(s3.client())
        acknowledged = 0
        for kill in range(kills):
            stop = threading.Event()
            # What is tried again unseen could be done twice.
            clients = [s3.client(retries={"max_attempts": 0}) for _ in range(WRITERS)]
            writers = [Writer(f"w{n}", client, kill * 100 + n, stop) for n, client in enumerate(clients)]
            for writer in writers:
                writer.holds.update({slot: state for slot, state in held.items() if writer.name in slot[1]})
                writer.start()
            stop.wait(0.3 + 0.07 * (kill % 11))
            kill_one_of(s3, kill)
            stop.set()
            for writer in writers:
                writer.join()
            joined_ns = time.monotonic_ns()
            if s3.process is None:
                s3.start()
            await_answer(s3)

            found = observed(s3.client())

            wrong = disagreements(found, allowed_at(writers, joined_ns, held)) + leaks(s3)
            assert not wrong, f"kill {kill}:\n" + "\n".join(wrong)
            acknowledged += sum(deed.ended_ns > 0 for writer in writers for deed in writer.story)
            held = found
        assert acknowledged > kills * WRITERS
        s3.stop()
        assert not fsck(s3)


def kill_one_of(s3: S3Plane, kill: int) -> None:
    """In turn: everything, the process that writes the index, one of those that answer."""
    pids = s3.pids
    if kill % 3 == 0 or len(pids) == 1:
        s3.stop(signal.SIGKILL)
    else:
        os.kill(pids[1] if kill % 3 == 1 else pids[2 + kill % (len(pids) - 2)], signal.SIGKILL)


def await_answer(s3: S3Plane) -> None:
    """Until those that were killed are replaced."""
    deadline = time.monotonic() + 20
    while True:
        try:
            s3.client(retries={"max_attempts": 0}).list_buckets()
            return
        except (BotoCoreError, ClientError):
            assert time.monotonic() < deadline, "nobody answers after a kill"
            time.sleep(0.01)

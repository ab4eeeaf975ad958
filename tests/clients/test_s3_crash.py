"""kill -9 at any moment: every acknowledged object is there and whole, nothing half-written seen, no space lost."""

import signal
import threading
import time
from pathlib import Path

from s3_plane import running_s3
from s3_shelf import leaks
from s3_writers import Slot, State, Writer, allowed_at, disagreements, observed, prepare

WRITERS = 4


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path, kills: int) -> None:
    """As often as is asked: writers of all kinds at work, the process killed, a new one started, everything read."""
    held: dict[Slot, State] = {}
    with running_s3(tmp_path) as s3:
        prepare(s3.client())
        acknowledged = 0
        for kill in range(kills):
            stop = threading.Event()
            writers = [Writer(f"w{n}", s3.client(), kill * 100 + n, stop) for n in range(WRITERS)]
            for writer in writers:
                writer.holds.update({slot: state for slot, state in held.items() if writer.name in slot[1]})
                writer.start()
            stop.wait(0.3 + 0.07 * (kill % 11))
            s3.stop(signal.SIGKILL)
            for writer in writers:
                writer.join()
            joined_ns = time.monotonic_ns()
            s3.start()

            found = observed(s3.client())

            wrong = disagreements(found, allowed_at(writers, joined_ns, held)) + leaks(s3)
            assert not wrong, f"kill {kill}:\n" + "\n".join(wrong)
            acknowledged += sum(deed.ended_ns > 0 for writer in writers for deed in writer.story)
            held = found
        assert acknowledged > kills * WRITERS

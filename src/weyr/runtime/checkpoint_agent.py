"""Who saves a task's checkpoints, and brings them back? This program, beside the task.

    python -m weyr.runtime.checkpoint_agent restore --folder DIR --bucket NAME --prefix P
    python -m weyr.runtime.checkpoint_agent watch --folder DIR --bucket NAME --prefix P --every 10 [--restore-first]

It reaches the bucket with the task's own keys (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
It says what it did in JSON lines, `{"event": "saved", "name": "epoch-7#12"}`, and what went wrong in plain
ones; `{"event": "paced", "first_at": 1780000000.5, "each_s": 2.0}` says when the task wrote its first checkpoint of
this attempt, and how long it takes from one to the next. `watch` sees a new checkpoint at once and begins an upload
every `every` seconds at most, standing back behind the task. It reads its input: a line makes it come forward and
upload all that is new, the end makes it save once more and end.
"""

import argparse
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from weyr.runtime import pace
from weyr.runtime.checkpoint_store import CheckpointStore, Manifest, NotWhole, Store

LOOK_S = 0.2
"""Between two looks into the folder: one costs 50 microseconds, and a wait of ours is work that can be lost."""
GAPS_MAX = 64
"""So many are enough to know how long it usually is from one checkpoint to the next."""
RETRY_S = 1.0
RESTORE_S = 60.0
"""How long the store may be unreachable before the attempt is given up: to begin anew could lose a checkpoint."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A complete checkpoint in the folder, as it stood when we looked."""

    path: Path
    mtime_ns: int


@dataclass(slots=True)
class Cadence:
    """When does a task write its checkpoints? By their own times: the first of this attempt, and how long between two.

    What is written within a look of the one before belongs to it: a checkpoint may be several entries.
    """

    began_ns: int
    first_ns: int = 0
    last_ns: int = 0
    gaps_ns: list[int] = field(default_factory=list)
    told: int = 0

    def see(self, entry: Entry | None) -> None:
        """Takes the newest entry there is; what lay there before this attempt is none of it."""
        if entry is None or entry.mtime_ns <= max(self.began_ns, self.last_ns) or len(self.gaps_ns) >= GAPS_MAX:
            return
        gap_ns, self.last_ns = entry.mtime_ns - self.last_ns, entry.mtime_ns
        if not self.first_ns:
            self.first_ns = entry.mtime_ns
        elif gap_ns > LOOK_S * 1e9:
            self.gaps_ns.append(gap_ns)

    def news(self) -> dict[str, float]:
        """What is to be told of it after the first gap, the second, the fourth ...; else nothing."""
        if len(self.gaps_ns) < max(1, 2 * self.told):
            return {}
        self.told = len(self.gaps_ns)
        each_ns = sorted(self.gaps_ns)[self.told // 2]
        return {"first_at": round(self.first_ns / 1e9, 3), "each_s": round(each_ns / 1e9, 3)}


class Agent:
    """Keeps one checkpoint folder and one prefix of a bucket in step."""

    def __init__(
        self, folder: Path, store: CheckpointStore, say: Callable[[str], None], rank: int = 0, size: int = 1
    ) -> None:
        self._folder, self._store, self._say = folder, store, say
        self._rank, self._size = rank, size
        self._known: Entry | None = None
        self._number = 0
        self._complaint = ""
        self._pace, self._is_hurried, self._is_closed = pace.Pace(), False, threading.Event()

    def restore(self) -> Manifest | None:
        """Brings back the newest checkpoint that is whole, or none if there is none. Raises: BaseError, OSError."""
        numbers = self._store.numbers()
        self._number = max(numbers, default=0)
        for number in reversed(numbers):
            try:
                manifest = self._store.manifest(number)
                self._store.restore(manifest, self._folder)
            except NotWhole as e:
                self._say(f"{e}; trying the one before it")
                continue
            self._known = newest(self._folder)
            return manifest
        return None

    def save(self) -> bool:
        """Uploads the newest entry if it is new. False where that failed; the complaint is said once."""
        entry = newest(self._folder)
        if entry is None or entry == self._known:
            return True
        try:
            numbers = self._store.numbers()
            self._number = self._next(max([self._number, *numbers]))
            manifest = self._store.save(entry.path, self._number)
            self._known = entry
            self._report("saved", name=manifest.name)
            self._store.trim([*numbers, self._number])
        except (BaseError, OSError) as e:
            self._complain(f"{entry.path.name} could not be saved: {e}")
            return self._known == entry
        self._complaint = ""
        return True

    def _next(self, last: int) -> int:
        """The next number that only this replica gives: two that save at once must not write into one checkpoint."""
        return last + 1 + (self._rank - last - 1) % self._size

    def watch(self, every_s: float) -> None:
        """Saves a new checkpoint as soon as it appears and the last upload began `every_s` ago. At the end of our
        input once more, until that has worked.
        """
        self._pace.stand_back()
        threading.Thread(target=self._listen, daemon=True).start()
        look_s, due = min(LOOK_S, every_s), time.monotonic()
        cadence = Cadence(time.time_ns())
        while not self._is_closed.wait(look_s):
            now, entry = time.monotonic(), newest(self._folder)
            if not self._is_hurried:
                # What is saved because of a notice comes out of turn.
                cadence.see(entry)
                self._report("paced", **cadence.news())
            if (now >= due or self._is_hurried) and entry is not None and entry != self._known:
                due = now + every_s
                self.save()
        while not self.save():
            select.select([], [], [], RETRY_S)  # the wrapper bounds this by ending us

    def _listen(self) -> None:
        """Beside the uploads: a notice must reach one that is under way."""
        while os.read(0, 4096):
            self._is_hurried = True
            self._pace.come_forward()
        self._pace.come_forward()
        self._is_closed.set()

    def restore_within(self, bound_s: float) -> bool:
        """Restores, and tries again while the store does not answer. False where it did not in time."""
        until = time.monotonic() + bound_s
        while True:
            try:
                manifest = self.restore()
                self._report("restored", name=manifest.name if manifest else "")
                return True
            except (BaseError, OSError) as e:
                self._complain(f"nothing could be restored yet: {e}")
            if time.monotonic() > until:
                return False
            select.select([], [], [], RETRY_S)

    def _report(self, event: str, **what: str | float) -> None:
        """Nothing is said of nothing."""
        if what:
            self._say(json.dumps({"event": event, **what}))

    def _complain(self, text: str) -> None:
        text = text.partition("\n")[0][:300]
        if text != self._complaint:
            self._say(text)
        self._complaint = text


def newest(folder: Path) -> Entry | None:
    """The newest complete entry: by time, then by name. Hidden names and `*.tmp` are not complete."""
    found = []
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name.endswith(".tmp"):
            continue
        try:
            found.append((path.stat().st_mtime_ns, path.name, path))
        except FileNotFoundError:
            continue  # the task removed it while we looked
    if not found:
        return None
    mtime_ns, _, path = max(found)
    return Entry(path, mtime_ns)


def open_store(bucket: str, environ: Mapping[str, str]) -> Store:
    """The bucket, by the task's own keys; a `file://` address is a folder, for trying things out."""
    if bucket.startswith("file://"):
        return LocalStore(bucket.removeprefix("file://"), mkdir=True)
    endpoint = environ["AWS_ENDPOINT_URL"]
    return S3Store(
        bucket,
        endpoint=endpoint,
        access_key_id=environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        region=environ.get("AWS_REGION", "us-east-1"),
        virtual_hosted_style_request=False,
        client_options={"allow_http": endpoint.startswith("http://")},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=10)},
    )


def main(argv: list[str]) -> int:
    """Gives the exit code: 1 where the checkpoint could not be restored."""
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.checkpoint_agent")
    parser.add_argument("verb", choices=["restore", "watch"])
    parser.add_argument("--folder", type=Path, required=True, help="the task's $WEYR_CHECKPOINT_DIR")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two uploads, at least")
    parser.add_argument("--keep", type=int, default=3, help="how many whole checkpoints stay in the bucket")
    parser.add_argument("--restore-first", action="store_true")
    parser.add_argument("--rank", type=int, default=0, help="which of the replicas that share the prefix this is")
    parser.add_argument("--size", type=int, default=1, help="how many replicas share it")
    options = parser.parse_args(argv)
    store = CheckpointStore(open_store(options.bucket, os.environ), options.prefix, options.keep)
    agent = Agent(options.folder, store, lambda line: print(line, flush=True), options.rank, options.size)
    if (options.verb == "restore" or options.restore_first) and not agent.restore_within(RESTORE_S):
        return 1
    if options.verb == "watch":
        agent.watch(options.every)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""How do payload logs come into buckets? A thread carries what is whole in the spool to the object store.

The spool is a tree of buckets: `<bucket>/<key>` below it. A file is removed once its object is acknowledged; what
cannot be carried stays and is tried again. So an object may be written twice, and is the same both times.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import obstore
from obstore.exceptions import BaseError

from weyr.engines.local.artifacts import Bucket

LOOK_EVERY_S = 5.0
RETRY_MAX_S = 300.0
Log = Callable[..., None]


class Carrier:
    """Carries files below `spool` into the buckets that `open_bucket` opens, for as long as it runs."""

    def __init__(self, spool: Path, open_bucket: Callable[[str], Bucket], log: Log) -> None:
        self._spool, self._open_bucket, self._log = spool, open_bucket, log
        self._troubled: dict[str, str] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends after the file that it is at."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def carry(self) -> bool:
        """One pass. False where something had to stay."""
        is_clean = True
        for bucket in self._buckets():
            store = self._open_bucket(bucket.name)
            for file in sorted(bucket.rglob("*.jsonl")):
                if self._stopping.is_set():
                    return is_clean
                if not self._carried(store, bucket, file):
                    is_clean = False
                    break  # the rest of this bucket waits as well
        return is_clean

    def _run(self) -> None:
        failures = 0
        while not self._stopping.wait(min(LOOK_EVERY_S * 2**failures, RETRY_MAX_S)):
            failures = 0 if self.carry() else min(failures + 1, 10)

    def _buckets(self) -> Iterator[Path]:
        with suppress(OSError):
            yield from (path for path in sorted(self._spool.iterdir()) if path.is_dir())

    def _carried(self, store: Bucket, bucket: Path, file: Path) -> bool:
        key = file.relative_to(bucket).as_posix()
        try:
            obstore.put(store, key, file.read_bytes())
            file.unlink()
        except (BaseError, OSError) as e:
            if self._troubled.get(bucket.name) != type(e).__name__:
                # Told once for each sort of trouble: it is tried again for as long as it takes.
                self._troubled[bucket.name] = type(e).__name__
                self._log("payloads.stay", bucket=bucket.name, key=key, error=str(e)[:200])
            return False
        self._troubled.pop(bucket.name, None)
        for folder in file.parents:
            if folder in (bucket, self._spool):
                break
            with suppress(OSError):
                folder.rmdir()  # only an empty one goes
        return True

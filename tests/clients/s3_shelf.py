"""Does a plane's data folder hold exactly what its index names? For tests that cut it off and look what is left."""

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from s3_plane import S3Plane

SOON_S = 90.0
_SEGMENTS = " UNION ALL ".join(f"SELECT segments FROM {table}" for table in ("objects", "history", "parts"))
_SUMS = """
SELECT b.name, b.objects, (SELECT count(*) FROM objects WHERE bucket = b.id AND NOT is_marker), b.size_bytes,
    (SELECT coalesce(sum(size), 0) FROM objects WHERE bucket = b.id)
    + (SELECT coalesce(sum(size), 0) FROM history WHERE bucket = b.id)
    + (SELECT coalesce(sum(p.size), 0) FROM parts p JOIN uploads u ON u.id = p.upload WHERE u.bucket = b.id)
FROM buckets b"""


def leaks(plane: S3Plane) -> list[str]:
    """Files that nobody names, names without their file, and counters that are wrong, once the plane has tidied."""
    deadline = time.monotonic() + SOON_S
    while True:
        try:
            wrong = list(_wrong(plane.folder / "s3"))
        except FileNotFoundError as e:
            wrong = [f"{e.filename} is just going"]
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(0.02)


def fsck(plane: S3Plane) -> list[str]:
    """What `weyr s3 fsck` has to say of a plane that was stopped; nothing where all is well."""
    assert plane.process is None, "a folder that is served is not looked at"
    command = [str(Path(sys.executable).with_name("weyr")), "s3", "fsck", "--data", str(plane.folder / "s3")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return [] if done.returncode == 0 else [f"fsck: {done.returncode}", done.stdout, done.stderr]


def _wrong(folder: Path) -> Iterator[str]:
    with closing(sqlite3.connect(folder / "index.db")) as db:
        db.execute("BEGIN")
        blobs = db.execute("SELECT id, refs, size, data IS NULL FROM blobs").fetchall()
        names = Counter(_blobs_in(row[0] for row in db.execute(_SEGMENTS)))
        sums = db.execute(_SUMS).fetchall()
    files = {int(path.name, 16): path.stat().st_size for path in (folder / "blobs").glob("*/*")}
    named = {blob: size for blob, _, size, is_file in blobs if is_file}
    yield from (f"blob {blob} of {size} bytes is nobody's" for blob, size in files.items() - named.items())
    yield from (f"blob {blob} of {size} bytes is gone" for blob, size in named.items() - files.items())
    yield from (f"incoming/{name} is left" for name in os.listdir(folder / "incoming"))
    counted = {blob: refs for blob, refs, *_ in blobs}
    for blob in sorted({*counted, *names}):
        if counted.get(blob, 0) != names[blob]:
            yield f"blob {blob} is named {names[blob]} times, and counted as {counted.get(blob, 0)}"
    for bucket, objects, objects_there, size, size_there in sums:
        if (objects, size) != (objects_there, size_there):
            yield f"{bucket} counts {objects} objects of {size} bytes, and has {objects_there} of {size_there}"


def _blobs_in(texts: Iterable[str]) -> Iterator[int]:
    for text in texts:
        yield from (int(part.partition(":")[0].lstrip("i")) for part in text.split(",") if part)

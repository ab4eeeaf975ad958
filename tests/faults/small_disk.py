"""A file system that is really full when a test says so: a tmpfs, whose size can be changed while it is used."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
AMPLE_BYTES = 256 * 2**20
AMPLE_FILES = 100_000


@dataclass(frozen=True)
class SmallDisk:
    """One mounted tmpfs. It has ample room until a test takes it away."""

    path: Path

    def leave(self, pages: int | None = None, files: int | None = None) -> None:
        """Leaves room for so many pages and so many new files from now on; None means ample.

        What a process has reserved and not yet written counts as used, so `pages` is what is really left.
        """
        there = os.statvfs(self.path)
        used_bytes = (there.f_blocks - there.f_bfree) * there.f_frsize
        size = AMPLE_BYTES if pages is None else max(PAGE_BYTES, used_bytes + pages * PAGE_BYTES)
        inodes = AMPLE_FILES if files is None else there.f_files - there.f_ffree + files
        _mount("-o", f"remount,size={size},nr_inodes={inodes}", str(self.path))


@contextmanager
def small_disk(at: Path) -> Iterator[SmallDisk]:
    """Mounts one at `at`, which is made, and takes it away again. Needs the right to mount."""
    at.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={AMPLE_BYTES},nr_inodes={AMPLE_FILES},mode=0700", "weyr-faults", str(at))
    try:
        yield SmallDisk(at)
    finally:
        # Lazily: a process that a failed test left behind must not keep the mount for ever.
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"a small file system is needed to fill it: {done.stderr.strip()}\n"
        "These tests mount one: run them as root, or as: unshare --map-root-user --mount make test"
    )

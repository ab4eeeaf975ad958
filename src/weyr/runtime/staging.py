"""How does a program find its inputs in folders, and leave its outputs in one? This goes before it, and after it.

    python -m weyr.runtime.staging --input FOLDER=BUCKET/PREFIX --output FOLDER=BUCKET/PREFIX -- WORD...

Everything below an input's prefix is there before the program begins. What it left in an output's folder is uploaded
once it has succeeded, and only then. It reaches buckets with the task's own keys, ends as the program ends, and leaves
signals to it.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.exceptions import BaseError

from weyr.runtime.checkpoint_agent import open_store
from weyr.runtime.checkpoint_store import Store

CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Staged:
    """A folder here, and a prefix of a bucket; "" is all of it."""

    folder: Path
    bucket: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "Staged":
        folder, _, place = text.partition("=")
        if place.startswith("file://"):
            return cls(Path(folder), place, "")
        bucket, _, prefix = place.partition("/")
        return cls(Path(folder), bucket, prefix.strip("/"))


def bring(store: Store, staged: Staged) -> int:
    """Downloads everything below the prefix; gives how many files that were. Raises: BaseError, OSError, ValueError."""
    staged.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    count = 0
    for page in obstore.list(store, staged.prefix or None):
        for meta in page:
            name = str(meta["path"]).removeprefix(staged.prefix).lstrip("/") or Path(meta["path"]).name
            to = (staged.folder / name).resolve()
            if staged.folder.resolve() not in to.parents:
                raise ValueError(f"{meta['path']!r} would lie outside of the folder")
            to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(to, "wb") as out:
                for chunk in obstore.get(store, meta["path"]).stream(min_chunk_size=CHUNK_BYTES):
                    out.write(chunk)
            count += 1
    return count


def take(store: Store, staged: Staged) -> int:
    """Uploads every file of the folder; gives how many. Raises: BaseError, OSError."""
    files = sorted(path for path in staged.folder.rglob("*") if path.is_file())
    for path in files:
        name = path.relative_to(staged.folder).as_posix()
        obstore.put(store, f"{staged.prefix}/{name}" if staged.prefix else name, path)
    return len(files)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Gives the program's exit code; 1 where something could not be brought or taken."""
    parser = argparse.ArgumentParser(prog="python -m weyr.runtime.staging")
    parser.add_argument("--input", type=Staged.parse, action="append", default=[])
    parser.add_argument("--output", type=Staged.parse, action="append", default=[])
    parser.add_argument("words", nargs="+")
    options = parser.parse_args(argv)
    for staged in options.input:
        try:
            count = bring(open_store(staged.bucket, environ), staged)
            _say(f"{count} file(s) of {staged.bucket}/{staged.prefix} are here")
        except (BaseError, OSError, ValueError) as e:
            _say(f"{staged.bucket}/{staged.prefix} could not be brought: {_line(e)}")
            return 1
    for staged in options.output:
        staged.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not options.output:
        os.execvp(options.words[0], options.words)
    status = _run(options.words)
    for staged in options.output if status == 0 else ():
        try:
            _say(f"{take(open_store(staged.bucket, environ), staged)} file(s) lie in {staged.bucket}/{staged.prefix}")
        except (BaseError, OSError) as e:
            _say(f"{staged.bucket}/{staged.prefix} could not be written: {_line(e)}")
            return 1
    return status


def _run(words: Sequence[str]) -> int:
    """Runs the program to its end. A signal that ended it ends us as well: whoever looks sees the same."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A handler and not "ignore": the program would inherit that. It gets the signal itself, as one of our group.
        signal.signal(number, lambda _number, _frame: None)
    status = subprocess.Popen(words).wait()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    return status


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]


def _say(text: str) -> None:
    print(f"[weyr] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""Where does `weyr` begin? Here, with as little as possible: `weyr --version` loads nothing else."""

import gc
import sys
from importlib import import_module

COLLECT_AFTER = 100_000
"""A command ends before there is much to throw away, and looking for it takes a fifth of what loading takes."""


def main() -> None:
    """The `weyr` command: runs one verb and exits with its status."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(version_line())
        return
    gc.set_threshold(COLLECT_AFTER)
    # Loaded by name: Typer alone takes longer than all of `weyr --version`.
    sys.exit(import_module("weyr.cli.program").run(arguments))


def version_line() -> str:
    """The installed version, as `weyr --version` prints it."""
    # Reading package metadata takes as long as a whole call of the API; only who asks for it pays.
    return f"weyr {import_module('importlib.metadata').version('weyr')}"


if __name__ == "__main__":
    main()

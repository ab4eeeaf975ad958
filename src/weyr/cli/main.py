"""Where does `weyr` begin? Here, with as little as possible: `weyr --version` loads nothing else."""

import sys
from importlib import import_module
from importlib.metadata import version


def main() -> None:
    """The `weyr` command: runs one verb and exits with its status."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"weyr {version('weyr')}")
        return
    # Loaded by name: Typer alone takes longer than all of `weyr --version`.
    sys.exit(import_module("weyr.cli.program").run(arguments))


if __name__ == "__main__":
    main()

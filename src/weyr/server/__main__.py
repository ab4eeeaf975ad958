"""The server's process: `python -m weyr.server --home DIR`. It holds the folder, begins the planes, and serves."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from weyr.compose.doors import planes_of, server_door
from weyr.core.diagnostic import UserError
from weyr.store.home import Home, HomeLock


def main() -> int:
    """Runs until it is told to stop. Gives 1, with diagnostics on standard error, where it cannot run."""
    arguments = _arguments()
    try:
        home = Home(arguments.home.absolute())
        home.prepare()
        lock = HomeLock(home)
        door = server_door(home, arguments.port)
        planes = planes_of(home)
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    home.info("server").unlink(missing_ok=True)  # a killed server's: we hold the folder now
    # The planes come up while this process loads what it needs itself, which takes it about as long.
    for plane in planes.values():
        plane.begin()
    try:
        code: int = import_module("weyr.server.serving").serve(home, door, planes, arguments.auto)
        return code
    except UserError as e:
        print(e, file=sys.stderr)
        return 1
    finally:
        if not home.info("server").exists():
            # It never served, for whatever reason: nothing may be left of the attempt.
            for plane in planes.values():
                if plane.is_ours:
                    plane.stop()
        home.info("server").unlink(missing_ok=True)
        lock.release()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m weyr.server")
    parser.add_argument("--home", type=Path, required=True, help="the data folder")
    parser.add_argument("--port", type=int, help="where to listen; 0 for any free port")
    parser.add_argument("--auto", action="store_true", help="started by a command, and to end with the last stack")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

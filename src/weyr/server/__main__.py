"""The server's process: `python -m weyr.server --home DIR`. It holds the folder, begins the planes, and serves.

On a store in PostgreSQL it first waits for the lease, and acts until the lease is lost: then it becomes a standby, as
a new program in the same process, so that nothing it was about to do is left of it.
"""

import argparse
import gc
import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from weyr.compose.doors import is_store_shared, keep_inference_processes, keep_listen, listen_of, planes_of, server_door
from weyr.core.diagnostic import Diagnostic, StoreError, UserError
from weyr.store.home import Home, HomeLock, unusable

LEASE_S = 3.0


def main() -> int:
    """Runs until it is told to stop. Gives 1, with diagnostics on standard error, where it cannot run."""
    arguments = _arguments()
    home = Home(arguments.home.absolute())
    turn: _Turn | None = None
    try:
        home.prepare()
        turn = _Turn(home, arguments) if is_store_shared(home) else None
        if turn is None and arguments.standby:
            raise UserError(_nothing_to_share())
        lock = turn.begin() if turn else HomeLock(home)
        before = listen_of(home)
        if arguments.listen:
            keep_listen(home, arguments.listen)
        had = planes_of(home)
        if arguments.inference_processes:
            keep_inference_processes(home, arguments.inference_processes)
        door = server_door(home, arguments.port)
        planes = planes_of(home)
        for name in had.keys() - planes.keys():
            had[name].stop()  # there are to be fewer
        if listen_of(home) != before:
            planes["relay"].stop()  # one of before, which is at the address of before
    except UserError as e:
        print(e, file=sys.stderr)
        if turn:
            turn.end()
        return 1
    except OSError as e:
        print(unusable(arguments.home, f"{e.filename or 'a write'}: {e.strerror}."), file=sys.stderr)
        return 1
    home.info("server").unlink(missing_ok=True)  # a killed server's: we hold the folder now
    # The planes come up while this process loads what it needs itself, which takes it about as long.
    for plane in planes.values():
        with suppress(OSError):  # no room for its log, no handle: whoever keeps the planes up tries again and says so
            plane.begin()
    try:
        serve = _loaded("weyr.server.serving").serve
        opened = turn.opened if turn else {}
        code: int = serve(home, door, planes, arguments.auto, **opened)
        return code
    except (UserError, StoreError) as e:
        print(e if isinstance(e, UserError) else _silent(e), file=sys.stderr)
        return 1
    finally:
        if not home.info("server").exists():
            # It never served, for whatever reason: nothing may be left of the attempt.
            for plane in planes.values():
                if plane.is_ours:
                    plane.stop()
        home.info("server").unlink(missing_ok=True)
        lock.release()
        if turn:
            turn.end()


class _Turn:
    """This server's turn on a store that others can reach too. Its modules are loaded only where there is one."""

    def __init__(self, home: Home, arguments: argparse.Namespace) -> None:
        self._home, self._arguments = home, arguments
        self._log = import_module("weyr.server.log").JsonLog()
        self.opened: dict[str, Any] = {}
        self._keeping: Any = None

    def begin(self) -> HomeLock:
        """Waits for the turn, and takes the data folder. Raises: UserError."""
        standing_module, stores = import_module("weyr.compose.standing"), import_module("weyr.compose.stores")
        place = stores.store_of(self._home.path)
        stores.keep_store(self._home.path, place, self._arguments.remember)
        standing = standing_module.Standing(self._home, place, self._arguments.lease, self._log)
        info = self._home.info(f"standby-{os.getpid()}")
        if self._arguments.standby:
            _loaded("weyr.server.serving")  # now, so that a takeover need not wait for it
            started = import_module("weyr.wire.process").started_ticks()
            info.write_text(json.dumps({"pid": os.getpid(), "started": started}))
            self._log("server.stands_by", pid=os.getpid(), store=standing.db.name)
        try:
            tenure = standing.wait(self._arguments.standby)
        finally:
            info.unlink(missing_ok=True)
        self._keeping = standing_module.Keeping(standing.db, tenure, self._stand_down)
        self.opened = {"tenure": tenure, "db": standing.db}
        lock: HomeLock = standing.lock(tenure)
        return lock

    def end(self) -> None:
        if self._keeping is not None:
            self._keeping.give_back()

    def _stand_down(self, why: str) -> None:
        """Acts no more, from this moment on, and waits for the next turn. Does not come back."""
        self._log("lease.lost", why=why, pid=os.getpid())
        info = self._home.info("server")
        try:
            if json.loads(info.read_text())["pid"] == os.getpid():
                info.unlink()
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none of ours
        again = ["--home", str(self._home.path), "--standby", "--lease", str(self._arguments.lease)]
        if self._arguments.auto:
            again.append("--auto")
        try:
            os.execv(sys.executable, [sys.executable, "-m", "weyr.server", *again])
        finally:
            os._exit(1)  # better no server than two


def _loaded(module: str) -> Any:
    """A module, with all that it loads. What is loaded stays for good: looking through it for what could be thrown away
    took a fifth of the time that loading takes, and again and again afterwards."""
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def _nothing_to_share() -> Diagnostic:
    detail = "A standby takes over a store that both servers can reach, and this folder's store is a file in it."
    return Diagnostic(
        "Nothing to stand by for", detail, suggestion="weyr server start --standby --store postgresql://..."
    )


def _silent(error: StoreError) -> UserError:
    return UserError(Diagnostic("The store does not answer", f"{error}.", suggestion="weyr server start"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m weyr.server")
    parser.add_argument("--home", type=Path, required=True, help="the data folder")
    parser.add_argument("--port", type=int, help="where to listen; 0 for any free port")
    parser.add_argument("--listen", help="the address at which tasks on other machines reach this one; remembered")
    parser.add_argument("--inference-processes", type=int, help="processes of the inference plane; remembered")
    parser.add_argument("--auto", action="store_true", help="started by a command, and to end with the last stack")
    parser.add_argument("--standby", action="store_true", help="wait until no other server acts on the store")
    parser.add_argument("--remember", action="store_true", help="keep $WEYR_STORE for later, in place of another")
    parser.add_argument("--lease", type=float, default=LEASE_S, help="seconds until another may take over")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

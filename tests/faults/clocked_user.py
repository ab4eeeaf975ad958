"""A user whose machine's clock a test can set: server, planes, launcher and wrappers see what one small file says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from one_user import User, until
from user_life import a_user

from weyr.engines.local import launcher
from weyr.store.home import Home

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), Path("libfaketimeMT.so.1"))


class ClockedUser(User):
    """Commands are typed by the real clock, as on another machine; only what they ask for is done by this one.

    The clocks that nobody can set are left alone: only so do processes sleep as long as they mean to.
    """

    @property
    def clock(self) -> Path:
        return self.folder.parent / "clock"

    def set_clock(self, by_s: float) -> None:
        """Puts the clock so far from the real one, at once and for every process."""
        draft = self.clock.with_suffix(".tmp")
        draft.write_text(f"{by_s:+.0f}\n")
        draft.replace(self.clock)

    def begin(self) -> None:
        """Starts the server, and a launcher by hand: it takes nothing over from the environment of its starter."""
        assert LIBRARY.exists(), "libfaketime is needed to set a clock: apt-get install faketime"
        self.set_clock(0)
        faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1"}
        faked |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        home = Home(self.home)
        home.prepare()
        with home.log("server").open("ab") as log:
            words = [sys.executable, "-m", "weyr.server", "--home", str(self.home)]
            self.server = subprocess.Popen(words, env=self.environment(**faked), stdout=log, stderr=log, cwd="/")
        where = ("--socket", str(home.sockets / "launcher.sock"), "--info", str(home.info("launcher")))
        command = [sys.executable, "-I", "-S", launcher.__file__, *where]
        with home.log("launcher").open("ab") as log:
            subprocess.run(command, env={**os.environ, **faked}, stdout=log, stderr=log, check=True, timeout=60)
        until(lambda: all(home.info(name).exists() for name in ("server", "s3", "inference")), "the server to be ready")


@contextmanager
def a_clocked_user() -> Iterator[ClockedUser]:
    """A user who leaves nothing behind, whatever time it is."""
    with a_user() as user:
        clocked = ClockedUser(user.home, user.folder)
        clocked.begin()
        try:
            yield clocked
            clocked.set_clock(0)
            clocked.weyr("down", "--yes", status=None)
            clocked.weyr("server", "stop")
        except BaseException:  # what a failed test leaves must end here, or its exit would be some later test's
            clocked.end_everything()
            raise
        finally:
            clocked.server.wait(90)

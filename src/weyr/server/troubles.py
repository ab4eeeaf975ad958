"""What of the machine's troubles can a user mend, and how are they told? A full disk, a damaged file, no memory.

They may come from anywhere below and pass by themselves, so nobody catches them on the way: they become an answer at
the server's edges, its start and its doors.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from weyr.core.diagnostic import Diagnostic, StoreError, UserError
from weyr.server.doorkeeper import problem
from weyr.store.database import StatementFailed

TROUBLES = (OSError, MemoryError, StoreError, StatementFailed)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_HANDLES = {errno.EMFILE, errno.ENFILE}


def told(error: BaseException, home: object) -> Diagnostic:
    """The trouble as a user should read it; `home` is the data folder."""
    chain = _chain(error)
    reason = _reason(chain)
    codes = {cause.errno for cause in chain if isinstance(cause, OSError)}
    if codes & _NO_ROOM or "disk is full" in reason:
        detail = f"{reason}. Nothing of this was kept; what was acknowledged before is safe, and what runs goes on."
        return Diagnostic("There is no room left on the disk", detail, suggestion=f"df -h {home}")
    if codes & _NO_HANDLES:
        detail = f"{reason}. Weyr goes on by itself as soon as files or connections are closed."
        return Diagnostic("There are too many open files", detail, suggestion="ulimit -n")
    if any(isinstance(cause, MemoryError) for cause in chain):
        return Diagnostic("There is not enough memory", f"{reason}. Nothing of this was done.", suggestion="free -h")
    if "malformed" in reason or "not a database" in reason:
        detail = f"{reason}. Everything that Weyr knows is in {home}/store.db, and it was damaged."
        return Diagnostic("The database is damaged", detail, suggestion=f"restore {home}/store.db from a backup")
    if isinstance(error, StoreError):
        return Diagnostic("The store does not answer", f"{error}.", suggestion="weyr server status")
    detail = f"{reason}. Weyr keeps everything in {home} and tries again as soon as it is asked."
    return Diagnostic("The data folder does not work", detail, suggestion=f"ls -la {home}")


@contextmanager
def as_user_errors(home: object) -> Iterator[None]:
    """Raises a trouble of the machine as a UserError: for a start, which it ends."""
    try:
        yield
    except TROUBLES as e:
        raise UserError(told(e, home)) from e


class Troubled:
    """Answers 503 to a request that met a trouble of the machine: the same request may fare better later."""

    def __init__(self, home: object) -> None:
        self._home = home

    async def __call__(self, _request: Request, error: Exception) -> Response:
        return problem(503, told(error, self._home), error_code="TEMPORARILY_UNAVAILABLE")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = getattr(cause, "orig", None) or cause.__cause__
    return chain


def _reason(chain: list[BaseException]) -> str:
    """The innermost words there are: those above only say where it was met."""
    words = [str(cause).strip().rstrip(".") for cause in chain]
    return next((text for text in reversed(words) if text), type(chain[0]).__name__)

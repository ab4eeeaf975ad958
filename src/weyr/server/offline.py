"""How is a question answered while no server runs? By the same application over the same folder, in this process."""

import time
from pathlib import Path

from starlette.applications import Starlette

from weyr.access.audit import AuditLog
from weyr.compose.local import open_weyr
from weyr.core.diagnostic import Diagnostic, StoreError, UserError
from weyr.server.app import build_app
from weyr.server.service import Service


def offline_app(home: Path) -> Starlette:
    """The application of a data folder that no server holds. It starts nothing and keeps nothing but plans.

    Raises: UserError where the folder or its store cannot be used.
    """
    try:
        weyr = open_weyr(home, time.time, _quiet, is_serving=False)
    except StoreError as e:
        raise UserError(Diagnostic("The store does not answer", f"{e}.", suggestion="weyr server status")) from e
    return build_app(Service(weyr, time.time, _quiet, AuditLog(weyr.home.audit, "server")), is_offline=True)


def _quiet(_event: str, /, **_fields: object) -> None:
    """A command's output is its answer; the log belongs to the server."""

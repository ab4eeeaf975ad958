"""How is a question answered while no server runs? By the same application over the same folder, in this process."""

import time
from pathlib import Path

from starlette.applications import Starlette

from weyr.access.audit import AuditLog
from weyr.compose.local import open_weyr
from weyr.server.app import build_app
from weyr.server.service import Service
from weyr.server.troubles import as_user_errors


def offline_app(home: Path) -> Starlette:
    """The application of a data folder that no server holds. It starts nothing and keeps nothing but plans.

    Raises: UserError where the folder or its store cannot be used.
    """
    with as_user_errors(home):
        weyr = open_weyr(home, time.time, _quiet, is_serving=False)
        audit = AuditLog(weyr.home.audit, "server")
    return build_app(Service(weyr, time.time, _quiet, audit), is_offline=True)


def _quiet(_event: str, /, **_fields: object) -> None:
    """A command's output is its answer; the log belongs to the server."""

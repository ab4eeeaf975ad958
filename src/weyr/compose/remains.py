"""Was this data folder in use before its store was lost? Then it is not a new one, and must not begin as one."""

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.store.home import Home


def refuse_lost_store(home: Home) -> None:
    """An empty store names no owner of anything, so all that runs and all that is stored would be removed as nobody's.

    Raises: UserError where the folder was served before and its store is gone or empty. `credentials.json` is written
    at each start, after the store.
    """
    is_empty = not home.database.exists() or (home.database.is_file() and home.database.stat().st_size == 0)
    if is_empty and home.credentials.exists():
        detail = (
            f"{home.database} is gone or empty, and {home.path} was in use before. With an empty store, all that runs "
            "and all that is stored would belong to nobody and be removed."
        )
        step = f"restore {home.database} from a backup, or move {home.path} away to begin anew"
        raise UserError(Diagnostic("The store is lost", detail, suggestion=step))

"""A function's host: `python -m weyr.runtime.function ORDER`, where $WEYR_SOCKET says at which socket it listens.

ORDER is JSON: `handler` (module:function) or `run` (the words of a command), `concurrency` and `payload`.
"""

import json
import os
import site
import sys

from weyr.runtime.function.calls import Calls, command_calls, handler_calls
from weyr.runtime.function.host import Host

AHEAD = ("asyncio", "concurrent.futures", "inspect", "subprocess", "threading", "traceback", "typing")
"""What else is loaded where there is time for it: before a function is asked for."""


def main() -> int:
    """Loads the function once, and serves until SIGTERM. Gives 1 where it cannot be loaded; its log says why."""
    order = json.loads(sys.argv[1])
    if environment := os.environ.get("VIRTUAL_ENV"):
        _use(environment)
    try:
        calls: Calls = handler_calls(order["handler"]) if order.get("handler") else command_calls(order["run"])
    except Exception as e:  # noqa: BLE001 - whatever a user's module raises while it loads
        sys.excepthook(type(e), e, e.__traceback__)
        return 1
    return Host(os.environ["WEYR_SOCKET"], calls, int(order["concurrency"]), int(order["payload"])).run()


def _use(environment: str) -> None:
    """What is installed in an environment goes before what is installed with Weyr."""
    before = len(sys.path)
    site.addsitedir(f"{environment}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages")
    sys.path[:] = sys.path[before:] + sys.path[:before]


if __name__ == "__main__":
    sys.exit(main())

"""A function's host: `python -m weyr.runtime.function ORDER`, where $WEYR_SOCKET says at which socket it listens.

ORDER is JSON: `handler` (module:function) or `run` (the words of a command), `concurrency` and `payload`.
"""

import json
import os
import sys

from weyr.runtime.environment import use_environment
from weyr.runtime.function.calls import Calls, command_calls, handler_calls
from weyr.runtime.function.host import Host

AHEAD = ("asyncio", "concurrent.futures", "inspect", "subprocess", "threading", "traceback", "typing")
"""What else is loaded where there is time for it: before a function is asked for."""


def main() -> int:
    """Loads the function once, and serves until SIGTERM. Gives 1 where it cannot be loaded; its log says why."""
    order = json.loads(sys.argv[1])
    use_environment()
    try:
        calls: Calls = handler_calls(order["handler"]) if order.get("handler") else command_calls(order["run"])
    except Exception as e:  # noqa: BLE001 - whatever a user's module raises while it loads
        sys.excepthook(type(e), e, e.__traceback__)
        return 1
    return Host(os.environ["WEYR_SOCKET"], calls, int(order["concurrency"]), int(order["payload"])).run()


if __name__ == "__main__":
    sys.exit(main())

"""Does the loop hear that somebody waits for an endpoint that sleeps?"""

import json
import socket
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from inference_plane import ROUTE, THING, running_plane


def test_a_held_request_rings_until_a_replica_is_there() -> None:
    """A sleeping endpoint is looked at every few minutes only: a ring that a server which was just started did not hear
    must come again, or the caller would wait in vain."""
    with TemporaryDirectory(prefix="w-") as folder:
        bell = Path(folder) / "bell.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door, running_plane("--doorbell", str(bell)) as plane:
            plane.route({})
            caller = threading.Thread(target=plane.ask, args=(f"/{ROUTE}/v2",))
            caller.start()  # it rings where nobody listens yet
            door.settimeout(60)
            door.bind(str(bell))
            heard = [json.loads(door.recv(512)) for _ in range(2)]
            plane.route({}, hold_s=0)
            caller.join(30)

    assert heard == [{"id": str(THING), "event": "wanted"}] * 2

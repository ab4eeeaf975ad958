"""What a function was called for is counted once, whatever is killed: the real plane, and a real host."""

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
from pathlib import Path

from inference_plane import Process, short_folder, until

from weyr.core.capability import Capability, FunctionBody, Wanted
from weyr.core.decision import Thing
from weyr.core.function_usage import INVOKED, function_usage
from weyr.core.ref import ThingId
from weyr.core.seen import Absent, FunctionFacts, FunctionUse, Present
from weyr.engines.local.functions import LocalFunctions

THING = ThingId.parse("lab:function/noted#plane")
CODE = """
from pathlib import Path

def noted(event):
    with Path("runs").open("a") as file:
        file.write("ran\\n")
    if event == "fail":
        raise RuntimeError("not today")
    return event
"""


class Lab:
    """A functions plane and a host of one function, each of which may be killed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "noting.py").write_text(CODE)
        self.provider = LocalFunctions(home / "functions.json", home, uses=home / "uses", show_every_s=0.0)
        self.generation = 0
        self.start_plane()
        self.start_host()
        self.address = self.facts().address

    def start_plane(self) -> None:
        info = self.home / "info.json"
        info.unlink(missing_ok=True)
        paths = {"functions": "functions.json", "events": "events.db", "doorbell": "bell.sock"}
        paths |= {"control": "functions.sock", "info": info.name, "uses": "uses"}
        options = [word for name, path in paths.items() for word in (f"--{name}", str(self.home / path))]
        self.plane = Process("-m", "weyr.gateway.functions", *options, "--grace", "1")
        until(info.exists, "the functions plane to listen")

    def start_host(self) -> None:
        door = self.home / f"host-{self.generation}.sock"
        order = json.dumps({"handler": "noting:noted", "concurrency": 1, "payload": 65536})
        code = f"import os, sys; os.chdir({str(self.home)!r}); sys.path.insert(0, '.'); sys.argv[1:] = [{order!r}]\n"
        run = "from weyr.runtime.function.__main__ import main; sys.exit(main())"
        # Its instances outlive it, and have its output.
        self.host = subprocess.Popen(
            [sys.executable, "-c", code + run], env={**os.environ, "WEYR_SOCKET": str(door)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.generation += 1
        body = FunctionBody("lab/noted", hosts=((str(self.generation), str(door)),), instances_max=2, hold_s=0.5)
        assert self.provider.ensure([Wanted(THING, self.generation, body)]) == {}
        until(door.exists, "the host listens")

    def call(self, event: str) -> int:
        """The status of one call at the function's own socket. Raises: OSError where the plane died meanwhile."""
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(90)
        door.connect(self.address)
        connection = http.client.HTTPConnection("x")
        connection.sock = door
        try:
            connection.request("POST", "/", json.dumps(event), {"Content-Type": "application/json"})
            return connection.getresponse().status
        except http.client.HTTPException as e:
            raise ConnectionError("the plane is gone") from e
        finally:
            connection.close()

    def facts(self) -> FunctionFacts:
        def seen() -> FunctionFacts | None:
            match self.provider.observe([THING])[THING]:
                case Present(facts=FunctionFacts(address=address) as facts) if address:
                    return facts
                case _:
                    return None

        until(seen, "the plane says what it knows")
        found = seen()
        assert found is not None
        return found

    @property
    def runs(self) -> int:
        noted = self.home / "runs"
        return len(noted.read_text().splitlines()) if noted.exists() else 0

    def close(self) -> None:
        self.plane.kill()
        self.host.kill()
        self.host.wait(90)  # its instances end with the plane's connections


def test_every_call_is_counted_once_whatever_is_killed() -> None:
    """Each run that a host noted is counted, and no more than was called: failures and calls that a kill cut off are
    invocations as others, as providers bill them. What is gone leaves its last reading."""
    chance = random.Random(5)
    sent, use = 0, FunctionUse(0.0)
    with short_folder() as home:
        lab = Lab(home)
        try:
            for round in range(4):
                killer = threading.Timer(chance.uniform(0.1, 0.4), lab.host.kill if round % 2 else lab.plane.popen.kill)
                is_killed_soon = False
                while lab.plane.popen.poll() is None and lab.host.poll() is None:
                    sent += 1
                    try:
                        status = lab.call("fail" if sent % 5 == 0 else "go")
                        assert status in (200, 500, 502, 503), status
                        if status in (200, 500) and not is_killed_soon:  # the first run is a process that has to begin
                            killer.start()
                            is_killed_soon = True
                    except OSError:
                        break
                killer.join()
                if round % 2:
                    lab.host.wait(90)
                    lab.start_host()
                else:
                    lab.plane.kill()
                    lab.start_plane()
                use = lab.facts().use or use
                assert 0 < lab.runs <= use.invocations <= sent
            lab.provider.release([THING])
            lab.plane.kill()
            seen = lab.provider.observe([THING])[THING]
        finally:
            lab.close()
        assert isinstance(seen, Absent)
        (usage,) = function_usage({"plane": Thing("plane", Capability.FUNCTIONS, 1, seen)})
        assert (usage.sku, usage.quantity, usage.since) == (INVOKED, use.invocations, use.since)
        assert lab.runs == usage.quantity or usage.quantity - lab.runs <= 4, "a kill may fall between sending and run"
    assert sent >= 4


def test_what_nobody_called_has_no_meter() -> None:
    """A function that sleeps all month costs nothing, and shows no row."""
    seen = Present(FunctionFacts(use=FunctionUse(5.0)))
    assert function_usage({"plane": Thing("plane", Capability.FUNCTIONS, 1, seen)}) == ()

"""Where do the server and its planes listen, and how is a plane started? Light: a server's start begins here."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.engines.local.planes import Plane
from weyr.engines.local.ports import HOST, holder_of, kept_ports, known_ports, listening, listening_somewhere
from weyr.store.home import Home
from weyr.store.place import FILE

LISTEN = "listen"
INFERENCE_PROCESSES = "inference-processes"
STORE = "WEYR_STORE"
"""The environment's word on the store, before what the data folder remembers."""

PORTS: Mapping[str, int] = {"server": 7780, "s3": 0, "inference": 0, "grpc": 0}
"""What each process would like to listen on, 0 for any; a data folder keeps what it got the first time."""


def is_store_shared(home: Home) -> bool:
    """Whether the store is one that others can reach. Asked without loading what a store in a file does not need."""
    return bool(os.environ.get(STORE)) or (home.path / FILE).exists()


def planes_of(home: Home, is_serving: bool = True) -> dict[str, Plane]:
    """The planes of a data folder, and how each is started."""
    ports = ports_of(home, is_serving)

    def arguments(sort: str, name: str, *own: str) -> tuple[str, ...]:
        common = ("--credentials", str(home.credentials), "--audit", str(home.audit / f"{name}.jsonl"))
        return (f"weyr.gateway.{sort}", *own, *common, "--port", str(ports[sort]), *doors(name))

    def doors(name: str) -> tuple[str, ...]:
        return "--control", str(home.sockets / f"{name}.sock"), "--info", str(home.info(name))

    # Beside the other keys: what copies buckets does not copy what opens them.
    keys = str(home.path / "keys" / "s3.json")
    told = ("--webhook", f"weyr-functions=unix:{home.sockets / 'functions.sock'}")
    bell = ("--doorbell", str(home.sockets / "doorbell.sock"))
    opened = ("--keys", keys, "--remote-keys", str(remote_keys_of(home)))
    own = {
        "s3": ("--data", str(home.objects), *opened, *told),
        "inference": (
            *("--routes", str(home.routes), "--spool", str(home.spool)),
            *("--api-keys", str(home.api_keys), "--limits", str(home.limits), *bell),
            *("--uses", str(home.route_uses)),
        ),
    }
    names = {"s3": "s3", **dict.fromkeys(inference_names(home), "inference")}
    planes = {
        name: Plane(name, arguments(sort, name, *own[sort]), home.info(name), home.log(name))
        for name, sort in names.items()
    }
    files = ("--functions", str(home.functions), "--events", str(home.events), "--uses", str(home.function_uses))
    functions = ("weyr.gateway.functions", *files, *bell, *doors("functions"))
    # Who has no function has no process for functions.
    info, log = home.info("functions"), home.log("functions")
    planes["functions"] = Plane("functions", functions, info, log, needs=home.functions)
    # Who has no endpoint that is asked over gRPC has no process for it either.
    asked = ("--plane", f"{HOST}:{ports['inference']}", "--endpoints", str(home.grpc), "--port", str(ports["grpc"]))
    grpc = ("weyr.gateway.grpc", *asked, "--info", str(home.info("grpc")))
    planes["grpc"] = Plane("grpc", grpc, home.info("grpc"), home.log("grpc"), needs=home.grpc)
    # Tasks on other machines have a use for these two.
    reached = ("--address", listen_of(home), "--ports", str(ports["server"]), str(ports["s3"]))
    relay = ("weyr.gateway.relay", *reached, "--info", str(home.info("relay")))
    planes["relay"] = Plane("relay", relay, home.info("relay"), home.log("relay"), needs=home.path / LISTEN)
    return planes


def remote_keys_of(home: Home) -> Path:
    """The file of what opens the buckets that are elsewhere."""
    return home.path / "keys" / "places.json"


def inference_names(home: Home) -> list[str]:
    """The processes of the inference plane, which share its port: `inference`, `inference-1` and so on."""
    try:
        count = int((home.path / INFERENCE_PROCESSES).read_text())
    except (OSError, ValueError):
        count = 1
    return ["inference", *(f"inference-{number}" for number in range(1, max(1, count)))]


def keep_inference_processes(home: Home, count: int) -> None:
    """Remembers for every later start how many processes the inference plane has."""
    (home.path / INFERENCE_PROCESSES).write_text(f"{count}\n")


def listen_of(home: Home) -> str:
    """The address at which tasks on other machines reach this one's doors; "" while they listen on loopback only."""
    try:
        return (home.path / LISTEN).read_text().strip()
    except FileNotFoundError:
        return ""


def ports_of(home: Home, is_serving: bool) -> dict[str, int]:
    """The ports of the server and the planes, which are kept from the time on that something listens there.

    Who only reads a new folder keeps none: nobody has been given them, and somebody else may have them by then.
    """
    return kept_ports(home.ports, PORTS) if is_serving else {**PORTS, **known_ports(home.ports)}


def keep_listen(home: Home, address: str) -> None:
    """Remembers it for every later start; the loopback's own address takes it back. Raises: UserError."""
    try:
        with socket.socket() as door:
            door.bind((address, 0))
    except OSError as e:
        detail = f"{address} is not an IPv4 address of this machine that others could reach it by: {e.strerror or e}."
        raise UserError(Diagnostic("Not an address of this machine", detail, suggestion="ip -brief address")) from e
    if address == HOST:
        (home.path / LISTEN).unlink(missing_ok=True)
    else:
        (home.path / LISTEN).write_text(f"{address}\n")


def server_door(home: Home, wanted: int | None) -> socket.socket:
    """The server's listening socket. `wanted` is kept from now on; 0 stands for any free port.

    Raises: UserError where the port is taken, OSError where none is free.
    """
    port = wanted or known_ports(home.ports).get("server", 0)
    if not port:
        # The port is our own choice, and another server that starts beside this one may have made the same.
        door = listening_somewhere(0 if wanted == 0 else PORTS["server"])
    else:
        try:
            door = listening(port)
        except OSError as e:
            raise UserError(_port_taken(port)) from e
    kept_ports(home.ports, PORTS, {"server": door.getsockname()[1]})
    return door


def _port_taken(port: int) -> Diagnostic:
    detail = (
        f"{holder_of(port) or 'Another program'} listens on {HOST}:{port}. A data folder keeps its port, because "
        "running tasks know the server by it; a new one has to be given by hand."
    )
    return Diagnostic("The port is taken", detail, suggestion="weyr server start --port 7790")


def url_of(port: int, host: str = HOST) -> str:
    """The address of a port of ours, as it is reached from this machine or, by another host, from others."""
    return f"http://{host}:{port}"

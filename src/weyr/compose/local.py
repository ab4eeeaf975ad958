"""Where kinds, engines, store, planes and loop meet on one machine.

`Weyr` is one data folder, opened. Opening starts nothing: the server starts planes and loop on it,
and a command that only reads opens it, looks and goes.
"""

import os
import secrets as random_source
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from weyr.access.identities import Access
from weyr.access.secrets import Secrets
from weyr.attempt import nvml
from weyr.attempt.tasks import Tasks
from weyr.compose.doors import listen_of, planes_of, ports_of, remote_keys_of, url_of
from weyr.compose.kinds import KINDS
from weyr.compose.price_store import HeldPrices
from weyr.compose.ray import ray_opener
from weyr.compose.remains import refuse_lost_store
from weyr.compose.remotes import Remotes
from weyr.compose.room import machine_room
from weyr.compose.slurm import slurm_opener
from weyr.compose.stores import store_of
from weyr.compose.tenure import Tenure, TenuredProvider
from weyr.core.capability import Capability, Provider
from weyr.core.diagnostic import EngineSilent
from weyr.core.ref import Ref, ThingId
from weyr.engines.local.artifacts import ObjectArtifacts, s3_buckets
from weyr.engines.local.chaos import Chaos as Chaos
from weyr.engines.local.chaos import NotDone as NotDone
from weyr.engines.local.control import NoAnswer, PlaneDown, ask
from weyr.engines.local.functions import LocalFunctions
from weyr.engines.local.grpc_door import GrpcDoor
from weyr.engines.local.launcher_client import LauncherClient
from weyr.engines.local.node_tasks import NodeTasks
from weyr.engines.local.nodes import LocalNodes
from weyr.engines.local.notices import LocalNotices
from weyr.engines.local.objects import LocalObjects
from weyr.engines.local.planes import Plane
from weyr.engines.local.ports import HOST
from weyr.engines.local.registry import LocalRegistry
from weyr.engines.local.router import LocalRouter
from weyr.engines.local.secrets import LocalSecrets
from weyr.engines.local.spool import Carrier
from weyr.engines.local.supervisor import Supervisor
from weyr.engines.local.tasks import local_tasks, machine_memory_bytes
from weyr.engines.local.tracked import TrackedTasks
from weyr.engines.local.vigil import Vigil
from weyr.engines.local.visits import NoVisit as NoVisit
from weyr.engines.local.visits import OpenVisit as OpenVisit
from weyr.engines.local.visits import Visits
from weyr.ledger.ledger import Ledger
from weyr.ledger.prices import Catalogue
from weyr.reconcile.effects import Effects
from weyr.reconcile.engines import Engines
from weyr.reconcile.loop import Loop
from weyr.reconcile.node_engines import NodeEngines
from weyr.reconcile.ports import Log
from weyr.reconcile.scheduler import Scheduler
from weyr.reconcile.world import World
from weyr.store.database import Database
from weyr.store.home import Home
from weyr.store.ledger import LedgerStore
from weyr.store.migrate import migrate
from weyr.tracking.entities import RunStatus
from weyr.tracking.service import Tracking

Planes = Mapping[str, Plane]

HOSTS = "weyr.runtime.function"
WAKES = {"server": "weyr.runtime.serve", "program": "weyr.runtime.health"}
"""What is kept loaded for an endpoint that sleeps, by what it wakes as."""
"""What the launcher keeps loaded where somebody may wait for it."""
SYSTEM_BUCKET = "weyr-artifacts"
"""Artifacts of runs whose job names no bucket. It belongs to no stack."""


@dataclass(slots=True)
class Weyr:
    """One data folder, opened: everything that the server and the offline reader share."""

    home: Home
    db: Database
    access: Access
    secrets: Secrets
    prices: HeldPrices
    ledger: Ledger
    tracking: Tracking
    artifacts: ObjectArtifacts
    tasks: Engines
    launcher: LauncherClient
    loop: Loop
    planes: Mapping[str, Plane]
    nodes: LocalNodes
    at_nodes: NodeTasks
    visits: Visits
    chaos: Chaos
    scheduler: Scheduler | None = None
    """None where nothing is served."""
    recounts: Sequence[Callable[[], None]] = ()
    """What makes the next look read the counters of what answers, however lately they were read."""

    @property
    def lock(self) -> threading.RLock:
        """Held while the loop's world is looked at or changed, and never while an engine is asked."""
        return self.loop.lock

    @property
    def world(self) -> World:
        return self.loop.world

    @property
    def catalogue(self) -> Catalogue:
        """The prices that hold now: a refresh is seen by the next who asks."""
        return self.prices.catalogue

    def ensure_system_bucket(self) -> None:
        """Raises: EngineSilent where the S3 plane does not answer."""
        body = {"owner": "weyr", "lifecycle": []}
        try:
            ask(self.home.sockets / "s3.sock", "PUT", f"/buckets/{SYSTEM_BUCKET}", body, self.db.epoch or 0)
        except (PlaneDown, NoAnswer) as e:
            raise EngineSilent(str(e)) from e

    def close(self) -> None:
        self.visits.close()
        self.db.close()


def plane_supervisor(weyr: "Weyr", log: Log, on_started: Callable[[str], None]) -> Supervisor:
    """Who keeps the planes up."""
    return Supervisor(weyr.planes, log, on_started)


def task_vigil(weyr: "Weyr", wake: Callable[[Iterable[Ref]], None]) -> Vigil:
    """Who notices the deaths that no launcher can tell of."""
    return Vigil(weyr.home.tasks, weyr.launcher.kept, wake)


def payload_carrier(weyr: "Weyr", log: Log) -> Carrier:
    """Who brings payload logs into their buckets."""
    admin = weyr.access.admin
    port = ports_of(weyr.home, is_serving=True)["s3"]
    return Carrier(weyr.home.spool, s3_buckets(url_of(port), admin.access_key_id, admin.secret_access_key), log)


def open_weyr(
    path: Path,
    now: Callable[[], float],
    log: Log,
    is_serving: bool,
    planes: Planes | None = None,
    tenure: Tenure | None = None,
    db: Database | None = None,
) -> Weyr:
    """Opens a data folder, makes what is missing in it, and brings its database up to date.

    Only one that is serving has engines: who reads can neither see nor do anything outside the store. Takes `db`,
    the store as it is open already, and `tenure`, the time for which its lease lets this server act.
    Raises: UserError where the folder cannot be used.
    """
    home = Home(path)
    home.prepare()
    if db is None:
        place = store_of(path)
        if place == home.database:
            refuse_lost_store(home)
        db = Database(place)
    migrate(db)
    epoch = tenure.epoch if tenure else 0
    ports = ports_of(home, is_serving)
    access = Access(db, home.path, now, random_source.token_bytes, is_published=is_serving)
    secrets = Secrets(db, access.envelope)
    prices = HeldPrices(home.path)
    ledger = Ledger(LedgerStore(db), prices)
    tracking = Tracking(db, now, lambda: random_source.token_hex(16), f"mlflow-artifacts:/{SYSTEM_BUCKET}/tracking")
    launcher = LauncherClient(home.sockets / "launcher.sock", home.info("launcher"), home.log("launcher"), epoch=epoch)
    nodes = LocalNodes(home.nodes, os.cpu_count() or 1, machine_memory_bytes(), nvml.detect, now)
    here = local_tasks(
        folder=home.tasks,
        sockets=home.sockets,
        cache=home.cache,
        launcher=launcher,
        credentials=access,
        secrets=secrets,
        surroundings=lambda: _surroundings(ports),
        now=now,
        events=home.sockets / "doorbell.sock",
        has_node=nodes.has,
    )
    at_nodes = NodeTasks(here, nodes)
    world = World.load(db)
    far = partial(_surroundings, ports, listen_of(home) or HOST)
    ray, slurm = ray_opener(home, access, secrets, far, now), slurm_opener(home, access, secrets, far, now)
    remotes = Remotes({"ray": ray, "slurm": slurm}, home.engines, world)
    tasks = Engines({"": at_nodes, **(remotes.known() if is_serving else {})}, remotes.opened)
    scheduler = _scheduler(tasks, nodes, tracking, now, world, remotes) if is_serving else None
    planes = planes or planes_of(home, is_serving)
    grpc = partial(_address, planes.get("grpc"))
    providers = _services(home, tracking, secrets, ports, now, log, launcher, here, epoch, grpc) if is_serving else {}
    recounts = [each.recount for each in providers.values() if isinstance(each, LocalRouter | LocalFunctions)]
    providers |= scheduler.providers if scheduler else {}
    if tenure is not None:
        providers = {name: TenuredProvider(provider, tenure) for name, provider in providers.items()}
    admin = access.admin
    artifacts = ObjectArtifacts(s3_buckets(url_of(ports["s3"]), admin.access_key_id, admin.secret_access_key))
    effects = Effects(providers, log, scheduler.rung) if scheduler else Effects(providers, log)
    loop = Loop(db, KINDS, effects, ledger, world)
    return Weyr(
        home,
        db,
        access,
        secrets,
        prices,
        ledger,
        tracking,
        artifacts,
        tasks,
        launcher,
        loop,
        planes,
        nodes,
        at_nodes,
        Visits(home.tasks),
        Chaos(home.tasks),
        scheduler,
        recounts,
    )


def _scheduler(
    tasks: Engines,
    nodes: LocalNodes,
    tracking: Tracking,
    now: Callable[[], float],
    world: World,
    remotes: Remotes,
) -> Scheduler:
    tracked = TrackedTasks(tasks, _Runs(tracking), SYSTEM_BUCKET)
    known = [thing for things in world.things.values() for thing in things.values()]
    room = machine_room()
    every = NodeEngines(nodes, lambda stack, engine: tasks.nodes_of(remotes.key_of(stack, engine)), known)

    def owner_of(ref: Ref) -> str:
        row = world.objects.get(ref)
        return row.owner if row else ""

    return Scheduler(tracked, room, now, known, every, key_of=remotes.key_of, owner_of=owner_of, fresh=nodes.fresh)


def _services(
    home: Home,
    tracking: Tracking,
    secrets: Secrets,
    ports: Mapping[str, int],
    now: Callable[[], float],
    log: Log,
    launcher: LauncherClient,
    here: Tasks,
    epoch: int,
    grpc_address: Callable[[], str],
) -> dict[Capability, Provider]:
    return {
        Capability.OBJECTS: LocalObjects(home.sockets / "s3.sock", epoch, secrets, remote_keys_of(home)),
        Capability.REGISTRY: LocalRegistry(tracking),
        Capability.TRAFFIC: LocalRouter(
            home.routes,
            home.sockets / "inference.sock",
            lambda: url_of(ports["inference"]),
            epoch,
            lambda what, count: launcher.expect(WAKES[what], count),
            secrets.read,
            GrpcDoor(home.grpc, grpc_address),
            home.route_uses,
        ),
        Capability.FUNCTIONS: LocalFunctions(
            home.functions, home.sockets, epoch, partial(launcher.expect, HOSTS), uses=home.function_uses
        ),
        Capability.SECRETS: LocalSecrets(secrets, random_source.token_bytes),
        Capability.NOTICES: LocalNotices(home.notices, now, lambda event, fields: log(event, **fields), secrets.read),
    }


def _address(plane: Plane | None) -> str:
    """Where a plane listens, "" while it does not."""
    info = plane.running() if plane else None
    return f"{HOST}:{info.port}" if info else ""


@dataclass(frozen=True, slots=True)
class _Runs:
    """The tracking service as the task engine needs it."""

    tracking: Tracking

    def ensure_experiments(self, wanted: Mapping[str, tuple[str, str]]) -> object:
        return self.tracking.ensure_experiments(wanted)

    def end_running(self, ended: Mapping[ThingId, str]) -> int:
        return self.tracking.end_running(
            {f"task:{id}": (f"{id.ref.stack}/{id.ref.name}", RunStatus(status)) for id, status in ended.items()}
        )


def _surroundings(ports: Mapping[str, int], host: str = HOST) -> dict[str, str]:
    """Where a task finds the rest: the same addresses for its whole life. `host` is this machine as it calls it."""
    return {
        "MLFLOW_TRACKING_URI": url_of(ports["server"], host),
        "AWS_ENDPOINT_URL": url_of(ports["s3"], host),
        "WEYR_API_URL": url_of(ports["server"], host),
        "TZ": os.environ.get("TZ", "UTC"),
    }

"""What exactly should a wrapper do for a task that is wanted? Everything is looked up here, secrets too."""

import hashlib
import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from weyr.attempt import task_folder
from weyr.attempt.host import Host
from weyr.attempt.limits import PROCESSES_BASE, PROCESSES_PER_CPU, TOGETHER
from weyr.attempt.ports import Rendezvous, port_env, unused_port
from weyr.attempt.ranks import placed
from weyr.attempt.task_env import CredentialIssuer, IssuedCredentials, SecretReader, base_env, contract_env
from weyr.attempt.task_folder import CHECKPOINTS, WORK, Order, Ranks
from weyr.core.capability import PYTHON, Accelerators, Refused, Sandbox, TaskBody, Wanted
from weyr.core.powers import unhonoured
from weyr.core.ranks import ALONE
from weyr.core.ref import Ref
from weyr.core.schema import to_plain

__all__ = ["CredentialIssuer", "IssuedCredentials", "OrderMaker", "SecretReader"]

SAVE_S = 60.0
"""How long the last upload of checkpoints may take after a task's end."""
PORT_FIRST, PORTS = 15_000, 5_000
"""Where the first members of gangs listen: below what data folders keep and what Linux gives to connections."""
PORTS_TRIED = 200
MEETINGS = ".rendezvous.json"
"""Which gangs meet at which ports, beside the folders of tasks."""
MEMORY_FOLDER = Path("/dev/shm")
NICE = 5
"""How far a task stands back behind what its owner runs by hand; one that serves does not."""
RING = "api:ring:*"
"""What every task may do: say that it changed, from a machine whose doorbell the server does not hear."""
DOOR = re.compile(r"https?://([^/:]+):[0-9]+")
OF_THE_MACHINE = ("PATH", "HOME")
"""Variables that say where things are on this machine: an image has its own."""
SANDBOX_CACHE = os.path.join(tempfile.gettempdir(), "weyr-cache")


class OrderMaker:
    """Makes orders. It keeps nothing: credentials and secrets are asked for anew each time."""

    def __init__(
        self,
        host: Host,
        sockets: Path,
        cache: Path,
        credentials: CredentialIssuer,
        secrets: SecretReader,
        events: Path | None,
    ) -> None:
        self._host, self._sockets, self._cache = host, sockets, cache
        self._credentials, self._secrets = credentials, secrets
        self._events = str(events) if events else ""

    def make(self, wanted: Sequence[tuple[Wanted, TaskBody, Path]]) -> list[Order | Refused]:
        """For each task in its folder the order, or why there can be none. Issues credentials. Raises: OSError."""
        if not wanted:
            return []
        values = [self._values(body, folder) for _, body, folder in wanted]
        grants = {
            f"task:{want.id}": (*body.grants, RING)
            for (want, body, _), found in zip(wanted, values, strict=True)
            if not isinstance(found, Refused)
        }
        issued = self._credentials.issue(grants) if grants else {}
        meetings = Rendezvous(wanted[0][2].parent / MEETINGS)
        return [
            found if isinstance(found, Refused) else self._order(*task, found, issued[f"task:{task[0].id}"], meetings)
            for task, found in zip(wanted, values, strict=True)
        ]

    def socket_of(self, folder: Path) -> str:
        """Where a serving task listens: in a folder of its own, as a sandbox shows that, and no socket beside it."""
        return str(self._sockets / mark_of(folder) / "sock")

    def _values(self, body: TaskBody, folder: Path) -> dict[Ref, str] | Refused:
        """The secrets that the task is given, or why it cannot be started here."""
        if body.ship:
            body = replace(body, workdir=str((new if (new := new_of(folder)).exists() else folder) / WORK))
        reason = unhonoured(body, self._host.powers) or self._host.refusal(body) or _bad_secret_file(body)
        if reason:
            return Refused(reason)
        read = {ref: self._secrets.read(ref) for ref in {*body.secret_env.values(), *body.secret_files.values()}}
        missing = sorted(str(ref) for ref, value in read.items() if value is None)
        if missing:
            return Refused(f"{', '.join(missing)} has no value yet")
        return {ref: value.decode(errors="surrogateescape") for ref, value in read.items() if value is not None}

    def _order(
        self,
        want: Wanted,
        body: TaskBody,
        folder: Path,
        values: Mapping[Ref, str],
        credentials: IssuedCredentials,
        meetings: Rendezvous,
    ) -> Order:
        mark = mark_of(folder)
        home = self._host.folder_of(folder)
        made = new if (new := new_of(folder)).exists() else folder
        if body.ship:
            body = replace(body, workdir=f"{home}/{WORK}")
        secret_folder = str(_secret_parent(folder) / f"weyr-{mark}") if body.secret_files else ""
        socket = self.socket_of(folder) if body.probe else ""
        ports = [port or unused_port() for port in body.ports]
        order = Order(
            id=str(want.id),
            generation=want.generation,
            folder=home,
            argv=[*self._staging(body, home), *self._words(body)],
            workdir=body.workdir,
            shipped=str((task_folder.read_json(str(made), task_folder.SHIPPED) or {}).get("digest", "")),
            env=self._env(want, body, home, credentials, values, secret_folder, socket) | port_env(ports),
            masks=[*values.values(), credentials.token, credentials.secret_access_key],
            secret_folder=secret_folder,
            secret_files={name: values[ref] for name, ref in body.secret_files.items()},
            cpu=body.cpu,
            memory_bytes=body.memory_bytes,
            time_limit_s=body.time_limit_s,
            grace_s=body.grace_s,
            agent=self._agent(body, home),
            save_s=SAVE_S,
            events=self._events,
            socket=socket,
            ports=ports,
            group=f"weyr-{mark}" if body.probe else f"{TOGETHER}/weyr-{mark}",
            ranks=self._ranks(want, body, folder, meetings),
            lease_s=self._host.lease_s,
            nice=0 if body.probe else NICE,
            processes_max=body.processes_max or PROCESSES_BASE + PROCESSES_PER_CPU * math.ceil(body.cpu),
            disk_bytes=body.disk_bytes,
            disk_folders=[body.workdir, *([f"{home}/{CHECKPOINTS}"] if body.checkpoint else [])],
            sandbox=to_plain(Sandbox, body.sandbox) if body.sandbox else None,
            prefix=[],
            doors=None,
            doors_at=_doors_at(self._host.surroundings()),
            devices=list(body.devices),
            accelerators=to_plain(Accelerators, body.accelerators) if body.accelerators else None,
            requirements=list(body.requirements),
            python=body.python,
            build=None,
            image=body.image,
            container=None,
            notes=[],
        )
        size = order["ranks"]["size"]
        return placed(order, [self._host.address] * size) if self._host.address else order

    def _ranks(self, want: Wanted, body: TaskBody, folder: Path, meetings: Rendezvous) -> Ranks:
        """A member that is ordered again has to come to the same port. Here it is looked for; on a cluster, where
        nobody knows yet where the first member will be, it is worked out. Raises: OSError."""
        gang = body.gang or ALONE
        name = f"{want.id.ref.absolute}/{gang.name or want.id.part}"
        first = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        ports = [PORT_FIRST + (first + number) % PORTS for number in range(PORTS_TRIED)]
        port = ports[0]
        if body.gang and self._host.address:
            port = meetings.port_of(name, folder, ports)
        gpus = body.accelerators.count if body.accelerators else 0
        return Ranks(name=name, size=gang.size, rank=gang.rank, port=port, gpus=gpus)

    def _env(
        self,
        want: Wanted,
        body: TaskBody,
        folder: str,
        credentials: IssuedCredentials,
        values: Mapping[Ref, str],
        secret_folder: str,
        socket: str,
    ) -> dict[str, str]:
        """Later ones win: what the user wrote goes over the surroundings, the contract over all."""
        env = base_env(body, self._host.python) | dict(self._host.surroundings())
        if body.image:
            env = {name: value for name, value in env.items() if name not in OF_THE_MACHINE}
        env |= dict(body.env)
        env |= {name: values[ref] for name, ref in body.secret_env.items()}
        env |= {name: f"{secret_folder}/{name}" for name in body.secret_files}
        env |= contract_env(want.id, body, credentials, folder)
        # What others keep in the cache is not for a sandbox to see, or to change.
        cache = SANDBOX_CACHE if body.sandbox else str(self._cache)
        if not body.image:
            env |= {"WEYR_PYTHON": self._host.python, "WEYR_CACHE": cache}
        if socket:
            env["WEYR_SOCKET"] = socket
            if not (body.sandbox or body.image or self._events.startswith("{")):
                env["WEYR_DOORBELL"] = self._events
        if secret_folder:
            env["WEYR_SECRETS_DIR"] = secret_folder
            env |= {name: f"{secret_folder}/{name}" for name in body.secret_files}
        return env

    def _words(self, body: TaskBody) -> list[str]:
        is_ours = body.argv[:1] == (PYTHON,)
        return [self._host.python, *body.argv[1:]] if is_ours else [*body.argv]

    def _staging(self, body: TaskBody, folder: str) -> list[str]:
        """What brings the inputs before the program begins, and takes its outputs."""
        if not body.inputs and not body.outputs:
            return []
        words = [self._host.python, "-I", "-m", "weyr.runtime.staging"]
        for option, parts in (("input", body.inputs), ("output", body.outputs)):
            words += [f"--{option}={folder}/{option}s/{each.name}={each.bucket}/{each.prefix}" for each in parts]
        return [*words, "--"]

    def _agent(self, body: TaskBody, folder: str) -> list[str]:
        if not body.checkpoint:
            return []
        to = body.checkpoint
        options = {
            "--folder": f"{folder}/checkpoints",
            "--bucket": to.bucket,
            "--prefix": to.prefix,
            "--every": f"{to.every_s:g}",
            "--keep": str(to.keep),
        }
        if body.gang:
            options |= {"--rank": str(body.gang.rank), "--size": str(body.gang.size)}
        words = [word for pair in options.items() for word in pair]
        return [self._host.python, "-I", "-m", "weyr.runtime.checkpoint_agent", "watch", "--restore-first", *words]


def _doors_at(surroundings: Mapping[str, str]) -> str:
    """The host of our doors, as tasks are told it."""
    hosts = [found.group(1) for text in surroundings.values() if (found := DOOR.match(text))]
    return hosts[0] if hosts else "127.0.0.1"


def _bad_secret_file(body: TaskBody) -> str:
    bad = [name for name in body.secret_files if "/" in name or name in ("", ".", "..")]
    return f"{bad[0]!r} is no name for a secret's file: it names a variable, and the file in it" if bad else ""


def mark_of(folder: Path) -> str:
    """Sixteen characters that stand for an attempt's folder wherever a name has to be short."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def new_of(folder: Path) -> Path:
    """Where an attempt's folder is made, until it counts."""
    return folder.with_name(f".new-{folder.name}")


def _secret_parent(folder: Path) -> Path:
    """Memory, where the machine has such a folder; a task's secrets should reach no disk."""
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else folder

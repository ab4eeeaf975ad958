"""What exactly should a wrapper do for a task that is wanted? Everything is looked up here, secrets too."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weyr.attempt.task_env import (
    CredentialIssuer,
    IssuedCredentials,
    SecretReader,
    base_env,
    contract_env,
    free_port,
    gang_env,
)
from weyr.attempt.task_folder import Order
from weyr.core.capability import Refused, TaskBody, Wanted
from weyr.core.ref import Ref

__all__ = ["CredentialIssuer", "IssuedCredentials", "OrderMaker", "SecretReader"]

SAVE_S = 60.0
"""How long the last upload of checkpoints may take after a task's end."""
MEMORY_FOLDER = Path("/dev/shm")


class OrderMaker:
    """Makes orders. It keeps nothing: credentials and secrets are asked for anew each time."""

    def __init__(
        self,
        sockets: Path,
        cache: Path,
        credentials: CredentialIssuer,
        secrets: SecretReader,
        surroundings: Callable[[], Mapping[str, str]],
        events: Path | None,
        python: str,
    ) -> None:
        self._sockets, self._cache, self._python = sockets, cache, python
        self._credentials, self._secrets, self._surroundings = credentials, secrets, surroundings
        self._events = str(events) if events else ""

    def make(self, wanted: Sequence[tuple[Wanted, TaskBody, Path]]) -> list[Order | Refused]:
        """For each task in its folder the order, or why there can be none. Issues credentials. Raises: OSError."""
        values = [self._values(body) for _, body, _ in wanted]
        grants = {
            f"task:{want.id}": body.grants
            for (want, body, _), found in zip(wanted, values, strict=True)
            if not isinstance(found, Refused)
        }
        issued = self._credentials.issue(grants) if grants else {}
        return [
            found if isinstance(found, Refused) else self._order(*task, found, issued[f"task:{task[0].id}"])
            for task, found in zip(wanted, values, strict=True)
        ]

    def _values(self, body: TaskBody) -> dict[Ref, str] | Refused:
        """The secrets that the task is given, or why it cannot be started here."""
        refused = _cannot_honour(body)
        if refused:
            return refused
        read = {ref: self._secrets.read(ref) for ref in {*body.secret_env.values(), *body.secret_files.values()}}
        missing = sorted(str(ref) for ref, value in read.items() if value is None)
        if missing:
            return Refused(f"{', '.join(missing)} has no value yet")
        return {ref: value.decode(errors="surrogateescape") for ref, value in read.items() if value is not None}

    def _order(
        self, want: Wanted, body: TaskBody, folder: Path, values: Mapping[Ref, str], credentials: IssuedCredentials
    ) -> Order:
        mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        secret_folder = str(_secret_parent(folder) / f"weyr-{mark}") if body.secret_files else ""
        socket = str(self._sockets / f"{mark}.sock") if body.probe else ""
        return Order(
            id=str(want.id),
            generation=want.generation,
            folder=str(folder),
            argv=list(body.argv),
            workdir=body.workdir,
            env=self._env(want, body, folder, credentials, values, secret_folder, socket),
            masks=[*values.values(), credentials.token, credentials.secret_access_key],
            secret_folder=secret_folder,
            secret_files={name: values[ref] for name, ref in body.secret_files.items()},
            cpu=body.cpu,
            memory_bytes=body.memory_bytes,
            time_limit_s=body.time_limit_s,
            grace_s=body.grace_s,
            agent=self._agent(body, folder),
            save_s=SAVE_S,
            events=self._events,
            socket=socket,
            group=f"weyr-{mark}",
        )

    def _env(
        self,
        want: Wanted,
        body: TaskBody,
        folder: Path,
        credentials: IssuedCredentials,
        values: Mapping[Ref, str],
        secret_folder: str,
        socket: str,
    ) -> dict[str, str]:
        """Later ones win: what the user wrote goes over the surroundings, the contract over all."""
        env = base_env(body.workdir) | gang_env(body.cpu, free_port()) | dict(self._surroundings()) | dict(body.env)
        env |= {name: values[ref] for name, ref in body.secret_env.items()}
        env |= {name: f"{secret_folder}/{name}" for name in body.secret_files}
        env |= contract_env(want.id, body, credentials, str(folder))
        env |= {"WEYR_PYTHON": self._python, "WEYR_CACHE": str(self._cache)}
        if socket:
            env["WEYR_SOCKET"] = socket
        if secret_folder:
            env["WEYR_SECRETS_DIR"] = secret_folder
            env |= {name: f"{secret_folder}/{name}" for name in body.secret_files}
        return env

    def _agent(self, body: TaskBody, folder: Path) -> list[str]:
        if not body.checkpoint:
            return []
        to = body.checkpoint
        options = {
            "--folder": str(folder / "checkpoints"),
            "--bucket": to.bucket,
            "--prefix": to.prefix,
            "--every": f"{to.every_s:g}",
            "--keep": str(to.keep),
        }
        words = [word for pair in options.items() for word in pair]
        return [self._python, "-I", "-m", "weyr.runtime.checkpoint_agent", "watch", "--restore-first", *words]


def machine_memory_bytes() -> int:
    """How much memory this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cannot_honour(body: TaskBody) -> Refused | None:
    """What this machine cannot give; a limit that is not kept would be worse than none."""
    cpus = os.cpu_count() or 1
    memory_bytes = machine_memory_bytes()
    if body.cpu > cpus:
        return Refused(f"it asks for {body.cpu:g} CPUs, and this machine has {cpus}")
    if body.memory_bytes is not None and body.memory_bytes > memory_bytes:
        return Refused(
            f"it asks for {body.memory_bytes >> 20} MiB of memory, and this machine has {memory_bytes >> 20} MiB"
        )
    bad = [name for name in body.secret_files if "/" in name or name in ("", ".", "..")]
    if bad:
        return Refused(f"{bad[0]!r} is no name for a secret's file: it names a variable, and the file in it")
    return None


def _secret_parent(folder: Path) -> Path:
    """Memory, where the machine has such a folder; a task's secrets should reach no disk."""
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else folder

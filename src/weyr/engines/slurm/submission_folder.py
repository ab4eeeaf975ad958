"""What lies in a submission's folder, on the file system that all nodes share, and who may write it?

    members.json     the engine: each member's id and task folder, and whether they are one gang
    script           the engine: what sbatch was given
    orders/N.json    the engine: the order of member N. It holds secrets: the member removes it once it has read it
    asked            the engine, before it calls sbatch: from here on there may be a job
    job.json         the engine: the number that sbatch gave
    run, run-N       a member, on its node: the one job (of an array, the one element) that may run this
    address-N        member N of a gang: where the others reach it

Standard library only: members import this.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import TypedDict

from weyr.attempt import task_folder
from weyr.attempt.task_folder import Order

MEMBERS = "members.json"
SCRIPT = "script"
ASKED = "asked"
JOB = "job.json"
ORDERS = "orders"
RING = ".ring"
"""Beside the folder of submissions: members on other machines set its time when something happened."""

HOLD = ".hold"
"""Beside it: the server sets its time while Slurm does not answer, and so begins nothing elsewhere."""


def address_of(rank: int) -> str:
    """What stands in an order for the address of a member, until its node is known."""
    return f"weyr-address-of-member-{rank}."


class Member(TypedDict):
    """One task of a submission. `folder` is its task folder."""

    id: str
    folder: str


class Members(TypedDict):
    """All of them, by index; a gang's by rank."""

    comment: str
    is_gang: bool
    members: list[Member]


def write(folder: Path, members: Members, orders: list[Order], script: str) -> None:
    """Puts a submission in place, whole and durably: from here on it can be carried out by whoever finds it. Raises:
    OSError."""
    new = folder.with_name(f".new-{folder.name}")
    shutil.rmtree(new, ignore_errors=True)
    (new / ORDERS).mkdir(mode=0o700, parents=True)
    new.chmod(0o700)
    for index, order in enumerate(orders):
        task_folder.write_json(str(new / ORDERS), f"{index}.json", order, is_durable=True)
    (new / SCRIPT).write_text(script)
    task_folder.write_json(str(new), MEMBERS, members, is_durable=True)
    new.rename(folder)


def read(folder: Path) -> Members | None:
    """Its members, None where there is no such submission. Raises: OSError, ValueError."""
    found = task_folder.read_json(str(folder), MEMBERS)
    return None if found is None else Members(**found)  # type: ignore[typeddict-item]


def job_of(folder: Path) -> str:
    """The job's number, "" where none is known. Raises: OSError, ValueError."""
    return str((task_folder.read_json(str(folder), JOB) or {}).get("job", ""))


def claim_run(folder: Path, name: str, who: str, index: int) -> bool:
    """Whether the job `who` may run what `name` stands for: the first whose member asked. Raises: OSError.

    By a link, which is there whole or not at all also on NFS.
    """
    path, own = folder / name, folder / f".{name}-{who}-{index}"
    own.write_text(who)
    try:
        os.link(own, path)
    except FileExistsError:
        return path.read_text() == who
    finally:
        own.unlink(missing_ok=True)
    return True


def take_order(folder: Path, index: int) -> Order:
    """A member's order; it is nowhere on a disk from here on. Raises: OSError, ValueError."""
    path = folder / ORDERS / f"{index}.json"
    order: Order = json.loads(path.read_text())
    path.unlink()
    return order


def key_of(comment: str) -> str:
    """The name of the folder of the submission with this comment."""
    return hashlib.sha256(comment.encode()).hexdigest()[:20]

"""What does a task find in its environment? The contract of docs/concepts/tasks.md, in one place."""

import os
from collections.abc import Collection, Mapping
from typing import Protocol

from weyr.attempt.task_folder import MARK
from weyr.core.capability import TaskBody
from weyr.core.ref import Ref, ThingId


class IssuedCredentials(Protocol):
    """What a task proves itself with, at every door."""

    @property
    def token(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...


class CredentialIssuer(Protocol):
    """Who gives out credentials, to many at once. `issue` for a principal that has some replaces them."""

    def issue(self, grants: Mapping[str, tuple[str, ...]]) -> Mapping[str, IssuedCredentials]: ...
    def revoke(self, principals: Collection[str]) -> None: ...


class SecretReader(Protocol):
    """Who knows the values of secrets; None for one that has no value yet."""

    def read(self, ref: Ref) -> bytes | None: ...


def base_env(body: TaskBody, python: str) -> dict[str, str]:
    """What every task has unless the surroundings say otherwise: Python programs find our interpreter
    first, and their output is not held back in a buffer."""
    return {
        "PATH": f"{os.path.dirname(python)}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PWD": body.workdir,
        "OMP_NUM_THREADS": str(max(1, int(body.cpu))),
    }


def contract_env(id: ThingId, body: TaskBody, credentials: IssuedCredentials, folder: str) -> dict[str, str]:
    """Who the task is, what it may reach with, and where it saves."""
    env = {
        MARK: folder,
        "WEYR_TASK_ID": str(id),
        "WEYR_STACK": id.ref.stack,
        "WEYR_JOB": id.ref.name,
        # Of `7:3.1`, attempt 3: of which index and replica has variables of its own.
        "WEYR_ATTEMPT": id.part.rpartition(":")[2].partition(".")[0],
        "WEYR_TOKEN": credentials.token,
        "MLFLOW_TRACKING_TOKEN": credentials.token,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    named = {"MLFLOW_EXPERIMENT_NAME": body.experiment, "WEYR_MODEL_NAME": body.model}
    if body.artifact_bucket:
        named["WEYR_ARTIFACT_BUCKET"] = body.artifact_bucket
    if body.checkpoint:
        named["WEYR_CHECKPOINT_DIR"] = os.path.join(folder, "checkpoints")
        named["WEYR_CHECKPOINT_EVERY_S"] = f"{body.checkpoint.every_s:g}"
    for word, parts in (("input", body.inputs), ("output", body.outputs)):
        named |= {f"WEYR_{word}_{variable(each.name)}".upper(): f"{folder}/{word}s/{each.name}" for each in parts}
    return env | {name: value for name, value in named.items() if value}


def variable(name: str) -> str:
    """A name of the stack file as a part of a variable's."""
    return name.replace("-", "_")

"""May this caller do this? The one rule that every door (API, S3, tracking, inference) asks."""

from collections.abc import Iterable
from dataclasses import dataclass

ADMIN = "*"
"""The grant that allows everything; only the administrator's token carries it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: `admin`, or a task such as `task:digits:job/train#2`, with what it may do.

    A grant is `service:verb:resource`, for example `s3:read:digits-lake/checkpoints/*`;
    a trailing `*` stands for any rest, and `*` alone for everything.
    """

    name: str
    grants: tuple[str, ...]


def is_allowed(grants: Iterable[str], action: str, resource: str) -> bool:
    """Takes an action such as `s3:read` and a resource such as `digits-lake/model.bin`."""
    asked = f"{action}:{resource}"
    return any(_covers(grant, asked) for grant in grants)


def _covers(grant: str, asked: str) -> bool:
    if grant.endswith("*"):
        return asked.startswith(grant[:-1])
    return asked == grant

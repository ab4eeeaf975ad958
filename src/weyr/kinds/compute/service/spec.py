"""What may be said of a service."""

from typing import Literal

from weyr.core.opening_fields import Calendar
from weyr.core.scale_fields import Scale
from weyr.core.schema import Boolean, Duration, SpecPart, field
from weyr.core.task_spec import TaskSpec


class Health(SpecPart):
    """How one tells that a replica is well. Without `http` or `command` it is when it takes connections at $PORT."""

    http: str | None = field(
        None, description="GET this path; a status below 400 is well.", examples=["/healthz"], pattern="^/"
    )
    command: str | None = field(None, description="Run this beside it; exit status 0 is well.", min_length=1)
    after: Duration = field(0.0, description="Time before the first check.", ge=0, le=3600)
    every: Duration = field(5.0, description="Time between two checks.", ge=0.1, le=3600)
    timeout: Duration = field(1.0, description="How long a check may take.", gt=0, le=60)
    failures: int = field(
        3, description="Failed checks in a row that take it out of the route; as many again, and 10s: it is replaced.",
        ge=1, le=100, strict=True,
    )  # fmt: skip
    ready_within: Duration = field(
        60.0, description="How long a new replica may take to be well; then it has failed.", gt=0, le=3600
    )


class Rollout(SpecPart):
    """How a new version takes over."""

    max_surge: int = field(1, description="Replicas of it beside all the old ones.", ge=0, le=1000, strict=True)
    max_unavailable: int = field(
        0, description="Old replicas that may leave before new ones are ready.", ge=0, le=1000, strict=True
    )


class ServiceSpec(TaskSpec):
    """A server: any program that listens at $PORT, or works without end."""

    run: str | tuple[str, ...] = field(
        description="The command: a line for the shell, or a list of words. It listens at $PORT.",
        examples=["uvicorn app:app --port $PORT"], min_length=1,
    )  # fmt: skip
    listens: Boolean = field(True, description="false for one that only works: it gets no port and no address.")
    replicas: int = field(1, description="How many run.", ge=0, le=1000, strict=True)
    scale: Scale | None = field(
        None, description="How many run, by what is asked of it, instead of `replicas`.",
        examples=[{"min": 0, "max": 4, "target_inflight": 16}],
    )  # fmt: skip
    calendar: Calendar | None = field(
        None, description="When it runs: outside of these hours it has no replica, whatever is asked of it."
    )
    health: Health = field(Health(), description="How one tells that a replica is well.")
    rollout: Rollout = field(Rollout(), description="How a new version takes over.")
    restart: Literal["always", "on-failure", "never"] = field(
        "always", description="Whether a replica that ended is replaced: always, on-failure (not after 0), or never."
    )
    hold: Duration = field(30.0, description="How long a request waits while no replica is ready.", ge=0, le=3600)

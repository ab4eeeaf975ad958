"""What may be said of a function."""

import json
from typing import Annotated, Any, Literal

from weyr.core.cron_fields import CronText, ZoneName
from weyr.core.schema import Count, Duration, Reference, Size, SpecPart, checked, field, to
from weyr.core.task_spec import TaskSpec

TIME_LIMIT_MAX_S = 900.0
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _json(value: Any) -> Any:
    json.dumps(value)
    return value


class Http(SpecPart):
    """What it takes at its own address."""

    methods: tuple[Method, ...] = field(("GET", "POST"), description="The methods it answers.", min_length=1)


class Objects(SpecPart):
    """Objects whose coming or going calls it."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket they are in.")
    prefix: str = field("", description="What their keys begin with.")
    suffix: str = field("", description="What their keys end with.", examples=[".jpg"])
    events: tuple[Literal["created", "removed"], ...] = field(
        ("created",), description="What has to happen to them: created, removed.", min_length=1
    )


class Schedule(SpecPart):
    """A time at which it is called."""

    cron: CronText = field(
        description="Minute, hour, day of the month, month, weekday; or @hourly, @daily ...",
        examples=["30 6 * * mon-fri"],
    )
    zone: ZoneName = field("UTC", description="The time zone.", examples=["Europe/Berlin"])
    event: Annotated[Any, checked(_json)] = field(None, description="The event it is called with, as JSON.")


class Retries(SpecPart):
    """How often an event is tried again that nobody waits for."""

    max: int = field(2, description="Further attempts after one that failed.", ge=0, le=100, strict=True)
    backoff: Duration = field(1.0, description="Wait before the first of them; doubled for each further one.", ge=0)


class Scale(SpecPart):
    """How many instances there are."""

    warm: int = field(0, description="Instances kept ready; 0 lets the function sleep.", ge=0, le=100, strict=True)
    max: int = field(10, description="The most instances at any time.", ge=1, le=1000, strict=True)
    concurrency: int = field(1, description="Events at once in one instance.", ge=1, le=1000, strict=True)
    idle_after: Duration = field(60.0, description="Time without an event before it sleeps.", gt=0)


class Letterbox(SpecPart):
    """Where it is written down what became of events whose attempts all failed."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket; the function may write there.")
    prefix: str = field("", description="What their keys begin with; the event's id and .json follow.")


class FunctionSpec(TaskSpec):
    """A Python function or a command, and what calls it."""

    handler: str | None = field(
        None, description="The Python function that is called: module:function.", examples=["thumbs:main"],
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
    )  # fmt: skip
    run: str | tuple[str, ...] | None = field(
        None, description="Or a command: the event on standard input, the result on standard output.", min_length=1
    )
    http: Http = field(Http(), description="What it takes at its own address.")
    objects: tuple[Objects, ...] = field((), description="Objects whose coming or going calls it.")
    schedules: tuple[Schedule, ...] = field((), description="Times at which it is called.")
    time_limit: Duration = field(
        30.0, description="How long an event may take, at most 15 minutes.", gt=0, le=TIME_LIMIT_MAX_S
    )
    payload: Size = field(6 * 2**20, description="The largest event, and the largest result.", ge=1, le=64 * 2**20)
    hold: Duration = field(30.0, description="How long a caller waits for an instance.", ge=0, le=3600)
    scale: Scale = field(Scale(), description="How many instances there are.")
    retries: Retries = field(Retries(), description="How often an event is tried again that nobody waits for.")
    dead_letters: Annotated[Reference, to("function")] | None = field(
        None, description="The function that is told of events whose attempts all failed."
    )
    letterbox: Letterbox | None = field(
        None, description="The bucket in which an object tells of each event whose attempts all failed."
    )
    keep_results: Duration = field(86_400.0, description="How long answers that nobody waited for are kept.", ge=60)
    queue_max: Count = field(100_000, description="How many events may wait; then callers get 429.")

"""What is to be noted of an endpoint's requests besides counts? Told to the plane with the route."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PayloadLog:
    """Write a `sample` (0 to 1) of the exchanges to `bucket` (its name at the S3 door), under `prefix`.

    Of each body at most `bytes_max` are kept. `redact` are paths into JSON, such as `messages[*].content`, and regular
    expressions between slashes; what they find is not written down.
    """

    bucket: str
    prefix: str = ""
    sample: float = 1.0
    redact: tuple[str, ...] = ()
    bytes_max: int = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Watch:
    """`has_callers` counts by caller too. Spans go to the collector at `traces_to` ("": nowhere): of every request
    whose caller samples its own trace, and of a `sample` (0 to 1) of those that bring none."""

    has_callers: bool = True
    traces_to: str = ""
    sample: float = 0.0
    log: PayloadLog | None = None

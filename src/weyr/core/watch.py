"""What is to be noted of an endpoint's requests besides counts? Told to the plane with the route."""

from dataclasses import dataclass

from weyr.core.redact import redaction_of


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


def watch_problems(watch: Watch) -> tuple[str, ...]:
    """What cannot be meant, in sentences."""
    problems: list[str] = []
    if watch.traces_to and not watch.traces_to.startswith(("http://", "https://")):
        problems.append(
            f"traces go to {watch.traces_to}, and the address of a collector begins with http:// or https://"
        )
    shares = [("traces", watch.sample)]
    if watch.log is not None:
        shares.append(("the payload log", watch.log.sample))
        try:
            redaction_of(watch.log.redact)
        except ValueError as e:
            problems.append(f"the payload log cannot redact: {e}")
    problems += [
        f"the sample of {what} is {share:g}, and shares are 0 to 1" for what, share in shares if not 0 <= share <= 1
    ]
    return tuple(problems)

"""What is to be noted of an endpoint's requests, beside counts?"""

from typing import Annotated

from weyr.core.redact import redaction_of
from weyr.core.schema import Boolean, Reference, Share, Size, SpecPart, checked, field, to


def _rule(text: str) -> str:
    """Raises: ValueError where it is neither a path nor an expression."""
    redaction_of((text,))
    return text


class Log(SpecPart):
    """Questions and answers, kept in a bucket to look for drift."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket that keeps them.")
    prefix: str = field("payloads/", description="What their keys begin with.", pattern=r"^([\w=-][\w.=-]*/)*$")
    sample: Share = field(1.0, description="The share of exchanges that is kept.", gt=0)
    redact: tuple[Annotated[str, checked(_rule)], ...] = field(
        (),
        description="What is not written down: paths into JSON, and regular expressions between slashes.",
        examples=[["messages[*].content", "/[0-9]{16}/"]],
    )
    max_bytes: Size = field(64 * 2**10, description="How much of each body is kept.", ge=0, le=16 * 2**20)


class Traces(SpecPart):
    """Spans of requests, sent to a collector of OpenTelemetry."""

    to: str = field(
        description="The collector's address for OTLP over HTTP.",
        examples=["http://127.0.0.1:4318"],
        pattern=r"^https?://[^\s@]+$",
    )
    sample: Share = field(
        0.0, description="The share that is traced of requests whose caller brings no trace of its own."
    )


class Watching(SpecPart):
    """What is noted of requests, beside counts."""

    callers: Boolean = field(True, description="Whether the busiest callers are counted by name.")
    traces: Traces | None = field(None, description="Send traces to a collector.")
    log: Log | None = field(None, description="Keep questions and answers in a bucket.")

"""What is a caller told of what went wrong at a place outside?"""

import logging

from weyr.gateway.s3.errors import S3Error, not_implemented
from weyr.gateway.s3.remote.problems import (
    RemoteAbsent,
    RemoteCannot,
    RemoteChanged,
    RemoteProblem,
    RemoteRefused,
)

log = logging.getLogger("weyr.s3")


def refused(problem: RemoteProblem, key: str = "") -> S3Error:
    """What a caller is told. Silence is no absence: it is worth another try."""
    match problem:
        case RemoteAbsent():
            return S3Error("NoSuchKey", Key=key)
        case RemoteChanged():
            return S3Error("PreconditionFailed")
        case RemoteRefused():
            return S3Error("AccessDenied", f"The bucket's own place refuses: {problem}")
        case RemoteCannot():
            return not_implemented(f"this on a bucket that is elsewhere: {problem}")
        case _:
            log.warning("s3.remote_silent %s", problem)
            return S3Error("ServiceUnavailable", "The bucket's own place does not answer. Please try again.")


def silent(problem: RemoteProblem) -> S3Error:
    """What is told of a tier: its objects are ours, so nothing that goes wrong there is an absence or a right."""
    log.warning("s3.tier_silent %s", problem)
    return S3Error("ServiceUnavailable", "The object is at a tier that does not answer. Please try again.")

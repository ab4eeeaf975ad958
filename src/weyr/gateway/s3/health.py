"""Is the plane well? Answered to whoever asks, under its own path and under those that other servers' users poll.

No bucket can be called `_weyr` or `_localstack`. One can be called `minio`: then its objects are answered with.
"""

import json

from weyr.gateway.s3.index import AnyIndex
from weyr.gateway.s3.messages import Request, Response

MINIO = ("/minio/health/live", "/minio/health/ready", "/minio/health/cluster", "/minio/health/cluster/read")
FIRST = frozenset(("_weyr", "_localstack", "minio"))
"""What such a path has where others have a bucket."""


def health(request: Request, index: AnyIndex) -> Response | None:
    """The answer, None where something else is asked for.

    Raises: OSError, sqlite3.Error where the index cannot be read: the plane is not well then.
    """
    if request.method not in ("GET", "HEAD") or request.sent_path:
        return None
    if request.path in MINIO and index.one("SELECT 1 FROM buckets WHERE name = 'minio'") is None:
        return Response(200)
    document: dict[str, object]
    match request.path:
        case "/_weyr/health":
            document = {"status": "ok", "server": "weyr"}
        case "/_localstack/health":
            document = {"services": {"s3": "running"}, "server": "weyr"}
        case _:
            return None
    index.one("SELECT 1 FROM buckets LIMIT 1")
    return Response(200, [("Content-Type", "application/json")], json.dumps(document).encode())

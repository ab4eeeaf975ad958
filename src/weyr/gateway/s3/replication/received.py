"""Does this request write another plane's copy? What the header says that replication sends, and who may send it.

x-amz-weyr-replica: ORIGIN MOMENT     the plane that the state comes from, and the state's moment in milliseconds
"""

import re

from weyr.gateway.s3.admit import need
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error

HEADER = "x-amz-weyr-replica"
_TEXT = re.compile(r"([A-Za-z0-9_-]{1,64}) ([0-9]{1,15})")


def origin_of(call: Call) -> str:
    """The plane whose state the call writes, "" for a write of the caller's own. Raises: S3Error."""
    text = call.headers.get(HEADER)
    if text is None:
        return ""
    need(call, "s3:ReplicateDelete" if call.request.method == "DELETE" else "s3:ReplicateObject", call.key)
    return _read(text)[0]


def moment_ms(call: Call) -> int:
    """When the state that the call writes came to be: what a replica is told, else now. Raises: S3Error."""
    text = call.headers.get(HEADER)
    return call.now_ms if text is None else _read(text)[1]


def header_for(origin: str, at_ms: int) -> str:
    """The header's value."""
    return f"{origin} {at_ms}"


def _read(text: str) -> tuple[str, int]:
    match = _TEXT.fullmatch(text)
    if match is None:
        raise S3Error("InvalidArgument", f"{HEADER} is the sending plane's name and a moment in milliseconds.")
    return match[1], int(match[2])

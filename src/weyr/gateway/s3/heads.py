"""How does an answer's head read? Its status line and headers."""

import re
import time
from email.utils import formatdate
from http import HTTPStatus

from weyr.gateway.s3.messages import Response

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BREAKS = re.compile("[\0\r\n]")
_date_text = (0, "")


def _date_now() -> str:
    """The Date header, formatted once a second."""
    global _date_text
    now = int(time.time())
    if now != _date_text[0]:
        _date_text = (now, formatdate(now, usegmt=True))
    return _date_text[1]


def head_of(response: Response, is_last: bool, is_head: bool) -> bytes:
    """The bytes before the body. An answer to a HEAD loses its body here."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}", f"Date: {_date_now()}", "Server: weyr"]
    # What a client chose (a key, a header that the URL overrides) must not become a line of its own.
    lines += [_BREAKS.sub(" ", f"{name}: {value}") for name, value in response.headers]
    if response.status not in (204, 304):
        length = response.length if response.length is not None else len(response.body)
        lines.append(f"Content-Length: {length}")
    if is_last:
        lines.append("Connection: close")
    if is_head:
        response.body, response.files, response.pieces = b"", None, None
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")

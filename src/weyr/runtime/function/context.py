"""What does a function know of the event that it is called with? Its second argument."""

import time
from typing import Any


class HttpRequest:
    """The request behind an event that came by HTTP. `path` begins after the function's own address."""

    def __init__(
        self, method: str = "", path: str = "/", query: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self.method, self.path, self.query, self.headers = method, path, query, headers or {}


class Context:
    """`request_id` names the event through all its attempts, which count from 1; `deadline` is in Unix seconds.

    `trigger` says what it came by: http, async, object, schedule. `request` is what HTTP said beside the body.
    """

    def __init__(self, header: dict[str, Any]) -> None:
        self.request_id = str(header["id"])
        self.attempt = int(header.get("attempt", 1))
        self.deadline = float(header.get("deadline", 0.0))
        self.trigger = str(header.get("trigger", "http"))
        self.content_type = str(header.get("content_type", ""))
        self.request = HttpRequest(**header.get("request", {}))

    @property
    def remaining_s(self) -> float:
        """Seconds left before the instance is ended."""
        return max(0.0, self.deadline - time.time())

    @property
    def aws_request_id(self) -> str:
        """As functions written for Lambda ask for it."""
        return self.request_id

    def get_remaining_time_in_millis(self) -> int:
        """As functions written for Lambda ask for it."""
        return int(self.remaining_s * 1000)

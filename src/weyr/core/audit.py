"""How is a decision about access written down? One JSON line, the same from every process."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One answer to "may this caller do this?". `at` is Unix time in seconds."""

    at: float
    process: str
    principal: str
    action: str
    resource: str
    is_allowed: bool
    reason: str

    def line(self) -> bytes:
        """The event as one JSON line, to be appended with a single write to an O_APPEND file."""
        fields = {
            "at": round(self.at, 3),
            "process": self.process,
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "allowed": self.is_allowed,
            "reason": self.reason,
        }
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"

"""What is an API key? Something that a program outside is given to call endpoints with: hashed, scoped and limited.

The keys of a data folder are one file, `api-keys.json`: `weyr.access.api_keys` writes it, the inference plane reads it.
"""

import json
from dataclasses import dataclass

from weyr.core.grants import Principal
from weyr.core.limits import NO_LIMITS, Limits
from weyr.core.plain import plain_of, value_of

SCOPES = {"infer": "call", "metadata": "read", "admin": "admin"}
"""What a key may be good for, and the verb of its grants: to ask models (and read what they are), to read what they
are only, and to load and unload them."""

CALL, READ, ADMIN = (f"inference:{verb}" for verb in SCOPES.values())

PRIORITIES = {"high": 2, "normal": 1, "low": 0}
"""How urgent a request may be, and how that is ordered."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key. Times are Unix seconds, 0 for never; only hashes of what callers show are kept.

    `endpoints` are routes, stack/endpoint, possibly ending in `*`. `priority` is the most that a request with it may
    ask for. After a rotation the word before is good until `former_until`.
    """

    id: str
    sha256: str
    endpoints: tuple[str, ...]
    scopes: tuple[str, ...] = ("infer",)
    limits: Limits = NO_LIMITS
    priority: str = "normal"
    note: str = ""
    created_at: float = 0.0
    expires_at: float = 0.0
    former_sha256: str = ""
    former_until: float = 0.0

    @property
    def principal(self) -> Principal:
        grants = (f"inference:{SCOPES[scope]}:{endpoint}" for scope in self.scopes for endpoint in self.endpoints)
        return Principal(f"key:{self.id}", tuple(grants))


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The file."""

    keys: tuple[ApiKey, ...] = ()


def read_keys(text: bytes) -> ApiKeys:
    """Raises: ValueError where this is not the file that `written_keys` writes."""
    return value_of(ApiKeys, json.loads(text))


def written_keys(keys: ApiKeys) -> bytes:
    return json.dumps(plain_of(keys), indent=1).encode()

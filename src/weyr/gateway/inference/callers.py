"""Who calls an endpoint, by which word, and what may he? Tokens of tasks and the administrator, and API keys.

API keys are read from a file of their own, which follows its changes as `Credentials` does: a revoked key is refused
within a fraction of a second, whether or not anybody else is alive.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from weyr.core.api_keys import ADMIN as ADMIN_MODELS
from weyr.core.api_keys import CALL, PRIORITIES, READ, ApiKey, read_keys
from weyr.core.grants import ADMIN, Principal, is_allowed
from weyr.core.limits import NO_LIMITS, Limits
from weyr.gateway.credentials import CHECK_EVERY_S, Credentials
from weyr.gateway.inference.routes import Stamp, stamp_of

ALLOWED_MAX = 8192
"""Answers that are remembered until a file of callers changes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `priority_max` is the most urgent that a request of his may be; `expires_at` 0 is never."""

    principal: Principal
    limits: Limits = NO_LIMITS
    priority_max: int = PRIORITIES["normal"]
    expires_at: float = 0.0


class Callers:
    """Everybody who may call.

    Takes: `clock`, monotonic seconds, and `now`, Unix seconds.
    Promises: a missing file of keys knows none. One that cannot be read or understood keeps those known, because the
    writer replaces it whole; `problem` says so.
    """

    def __init__(
        self,
        credentials: Credentials,
        keys: Path | None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._credentials, self._file, self._clock, self._now = credentials, keys, clock, now
        self._keys: Mapping[str, Caller] = {}
        self._stamp: Stamp | None = None
        self._looked_at = self._look_at = float("-inf")
        self._allowed: dict[tuple[str, str, bytes], Caller] = {}
        self._allowed_by: tuple[object, object] = (None, None)
        self._problem = ""

    @property
    def problem(self) -> str:
        return self._problem or self._credentials.problem

    def caller(self, word: str) -> Caller | None:
        """Who shows this word; None where nobody has it, or has it no longer."""
        if not word.startswith(("weyr-key_", "sk-")) or self._file is None:
            principal = self._credentials.token(word)
            return _task_or_admin(principal) if principal else None
        self._follow(CHECK_EVERY_S)
        digest = hashlib.sha256(word.encode()).hexdigest()
        found = self._keys.get(digest)
        if found is None:
            # It may be new, and another process may know it already.
            self._follow(0.0)
            found = self._keys.get(digest)
        return found if found and (not found.expires_at or found.expires_at > self._now()) else None

    def allowed(self, word: str, action: str, route: bytes, now: float) -> Caller | None:
        """Who shows this word and may do this, where that was asked before; None where it has to be looked at.

        Takes `now` by the clock. Promises: nobody is allowed what a file took from him CHECK_EVERY_S ago.
        """
        if now >= self._look_at:
            self._look_at = now + CHECK_EVERY_S
            self._follow(0.0)
            keys, tokens = self._allowed_by
            now_known = self._keys, self._credentials.version()
            if keys is not now_known[0] or tokens is not now_known[1]:
                self._allowed_by = now_known
                self._allowed.clear()
        caller = self._allowed.get((word, action, route))
        return None if caller is None or (caller.expires_at and caller.expires_at <= self._now()) else caller

    def allow(self, word: str, action: str, route: bytes, caller: Caller) -> None:
        """He may: it was looked at."""
        if len(self._allowed) >= ALLOWED_MAX:
            self._allowed.clear()
        self._allowed[word, action, route] = caller

    def _follow(self, older_than_s: float) -> None:
        now = self._clock()
        if now - self._looked_at < older_than_s or self._file is None:
            return
        self._looked_at = now
        try:
            stamp = stamp_of(self._file)
            if stamp == self._stamp:
                return
            self._keys = _callers_of(read_keys(self._file.read_bytes()).keys) if stamp else {}
            self._stamp, self._problem = stamp, ""
        except (OSError, ValueError) as e:
            self._problem = f"{self._file}: {e}"


WORDS = {CALL: "call", READ: "read what is at", ADMIN_MODELS: "load and unload models of"}
_READS = (b"/v2", b"/v1/models", b"/health", b"/metrics", b"/openapi")


def action_of(method: bytes, path: bytes) -> str:
    """What a request does: it asks a model, reads what models are, or loads and unloads them."""
    if path.startswith(b"/v2/repository/"):
        return ADMIN_MODELS if path.partition(b"?")[0].endswith((b"/load", b"/unload")) else READ
    return READ if method in (b"GET", b"HEAD") and path.startswith(_READS) else CALL


def may(principal: Principal, action: str, route: str) -> bool:
    """Who may ask a model may also read what it is."""
    if is_allowed(principal.grants, action, route):
        return True
    return action == READ and is_allowed(principal.grants, CALL, route)


def _callers_of(keys: tuple[ApiKey, ...]) -> Mapping[str, Caller]:
    found: dict[str, Caller] = {}
    for key in keys:
        limits = NO_LIMITS if key.limits == NO_LIMITS else key.limits
        caller = Caller(key.principal, limits, PRIORITIES[key.priority], key.expires_at)
        found[key.sha256] = caller
        if key.former_sha256:
            until = min(key.former_until, key.expires_at or key.former_until)
            found[key.former_sha256] = replace(caller, expires_at=until)
    return found


def _task_or_admin(principal: Principal) -> Caller:
    """The administrator's requests may be urgent; a task's are as everybody's."""
    return Caller(principal, priority_max=PRIORITIES["high" if ADMIN in principal.grants else "normal"])

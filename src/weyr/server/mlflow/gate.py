"""May this caller make this call? Asked once per request, before anything is read or changed."""

from collections.abc import Callable

from starlette.requests import Request

from weyr.core.grants import Principal, is_allowed
from weyr.tracking.errors import ErrorCode, TrackingError

Refused = Callable[[Principal, str, str], None]
"""Told of each refusal: (principal, action, resource)."""


class Gate:
    """Checks the caller that the middleware has found in `request.state.principal`."""

    def __init__(self, on_refused: Refused | None) -> None:
        self._on_refused = on_refused

    def check(self, request: Request, action: str, resource: str = "*") -> Principal:
        """Raises TrackingError: PERMISSION_DENIED, after the refusal was told."""
        principal = request.state.principal
        assert isinstance(principal, Principal)
        if not is_allowed(principal.grants, action, resource):
            if self._on_refused is not None:
                self._on_refused(principal, action, resource)
            raise TrackingError(
                ErrorCode.PERMISSION_DENIED, f"{principal.name} has no grant for {action} on {resource}."
            )
        return principal

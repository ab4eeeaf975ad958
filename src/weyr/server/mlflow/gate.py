"""May this caller make this call? Asked once per request, before anything is read or changed."""

from collections.abc import Callable

from starlette.requests import Request

from weyr.core.grants import Principal, is_allowed
from weyr.tracking.errors import ErrorCode, TrackingError

Refuse = Callable[[str, str, str, str], None]
"""Writes a refusal down: principal, action, resource, reason."""

ANONYMOUS = "anonymous"


def unheard(_principal: str, _action: str, _resource: str, _reason: str) -> None:
    """For an application that keeps no audit trail, such as a test's."""


class Gate:
    """Checks the caller that the middleware put into `request.state.principal`; None: nobody it knows."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse

    def check(self, request: Request, action: str, resource: str = "*") -> Principal:
        """Raises TrackingError: UNAUTHENTICATED or PERMISSION_DENIED, after the refusal was written down."""
        principal: Principal | None = request.scope.get("state", {}).get("principal")
        if principal is None:
            self._refuse(ANONYMOUS, action, resource, "no known token was given")
            raise TrackingError(
                ErrorCode.UNAUTHENTICATED, "Every call needs a token that Weyr knows. Set MLFLOW_TRACKING_TOKEN."
            )
        self.check_grant(principal, action, resource)
        return principal

    def check_grant(self, principal: Principal, action: str, resource: str) -> None:
        """Raises TrackingError: PERMISSION_DENIED, after the refusal was written down."""
        if not is_allowed(principal.grants, action, resource):
            reason = f"{principal.name} has no grant for {action} on {resource}."
            raise self.refusal(principal, action, resource, "no grant covers it", reason)

    def refusal(self, principal: Principal, action: str, resource: str, reason: str, message: str) -> TrackingError:
        """The error to raise, already written down."""
        self._refuse(principal.name, action, resource, reason)
        return TrackingError(ErrorCode.PERMISSION_DENIED, message)

"""What can a tracking call be refused for? MLflow's error codes, each with its HTTP status.

TrackingError
└── raised with an ErrorCode; the wire shows {"error_code": code, "message": message}
"""

from enum import Enum


class ErrorCode(Enum):
    """The codes clients of MLflow tell errors apart by; the value is the HTTP status."""

    INVALID_PARAMETER_VALUE = (400, "INVALID_PARAMETER_VALUE")
    RESOURCE_ALREADY_EXISTS = (400, "RESOURCE_ALREADY_EXISTS")
    BAD_REQUEST = (400, "BAD_REQUEST")
    UNAUTHENTICATED = (401, "UNAUTHENTICATED")
    PERMISSION_DENIED = (403, "PERMISSION_DENIED")
    RESOURCE_DOES_NOT_EXIST = (404, "RESOURCE_DOES_NOT_EXIST")
    ENDPOINT_NOT_FOUND = (404, "ENDPOINT_NOT_FOUND")
    INVALID_STATE = (500, "INVALID_STATE")
    INTERNAL_ERROR = (500, "INTERNAL_ERROR")
    NOT_IMPLEMENTED = (501, "NOT_IMPLEMENTED")
    TEMPORARILY_UNAVAILABLE = (503, "TEMPORARILY_UNAVAILABLE")

    @property
    def status(self) -> int:
        return self.value[0]


class TrackingError(ValueError):
    """The request was refused and nothing was changed."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> TrackingError:
    """A request whose content cannot be accepted."""
    return TrackingError(ErrorCode.INVALID_PARAMETER_VALUE, message)


def missing(message: str) -> TrackingError:
    """A request about something that is not there."""
    return TrackingError(ErrorCode.RESOURCE_DOES_NOT_EXIST, message)

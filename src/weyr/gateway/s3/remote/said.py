"""What does obstore's error mean? One of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore import exceptions

from weyr.gateway.s3.remote.problems import (
    RemoteAbsent,
    RemoteCannot,
    RemoteChanged,
    RemoteProblem,
    RemoteRefused,
    RemoteSilent,
)

TEXT_MAX = 500
_QUERY = re.compile(r"\?[^\s\"'<>)]*")
"""A signed URL carries what opens it."""

_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[RemoteProblem]], ...] = (
    ((FileNotFoundError, NotADirectoryError, exceptions.NotFoundError), RemoteAbsent),
    (
        (FileExistsError, exceptions.AlreadyExistsError, exceptions.PreconditionError, exceptions.NotModifiedError),
        RemoteChanged,
    ),
    ((PermissionError, exceptions.PermissionDeniedError, exceptions.UnauthenticatedError), RemoteRefused),
    ((NotImplementedError, exceptions.NotSupportedError, exceptions.InvalidPathError), RemoteCannot),
)
_CODES = {
    "<Code>NoSuchBucket</Code>": RemoteAbsent,
    "<Code>AccessDenied</Code>": RemoteRefused,
    "<Code>InvalidAccessKeyId</Code>": RemoteRefused,
    "<Code>SignatureDoesNotMatch</Code>": RemoteRefused,
    "<Code>NotImplemented</Code>": RemoteCannot,
    "Could not parse path": RemoteCannot,
}
"""Some errors have no class of their own; what the place said is in the text."""


@contextmanager
def told(what: str) -> Iterator[None]:
    """Whatever obstore raises inside comes out as one of ours. Takes: `what` was asked, of which place."""
    try:
        yield
    except (exceptions.BaseError, OSError, ValueError, NotImplementedError) as e:
        raise _meaning(e)(f"{what}: {_shown(e)}") from e


def _meaning(error: Exception) -> type[RemoteProblem]:
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning
    for code, meaning in _CODES.items():
        if code in str(error):
            return meaning
    return RemoteSilent


def _shown(error: Exception) -> str:
    return _QUERY.sub("?…", str(error).partition("\n\nDebug source")[0])[:TEXT_MAX]

"""What can be asked of the server? Every route of the API as one table, and nothing about how it is answered.

The server mounts its handlers from this table, the OpenAPI document and the reference page are
made from it, so that none of the three can say something else. A route names its handler;
`starlette_routes` refuses to start a server that lacks one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Handler = Callable[[Request], Awaitable[Response]]


class Tag(StrEnum):
    """The headings of the reference, in its order."""

    PLANS = "Plans"
    OBJECTS = "Objects"
    VISITS = "Commands in tasks"
    STORY = "Events and logs"
    RUNS = "Runs"
    MONEY = "Money"
    ACCESS = "Secrets and audit"
    SERVER = "Server"


class Where(StrEnum):
    """Where a parameter stands in a request."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


class Media(StrEnum):
    """What a route answers with. JSON answers name a schema; the others are text."""

    JSON = "application/json"
    TEXT = "text/plain"
    CSV = "text/csv"
    EVENTS = "text/event-stream"
    HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. `type` is a JSON Schema type; `choices` closes the set of values."""

    name: str
    meaning: str
    where: Where = Where.QUERY
    type: str = "string"
    is_required: bool = False
    default: str | int | None = None
    choices: tuple[str, ...] = ()
    example: str | int | None = None


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method of one path.

    `handler`   the name its handler is mounted under
    `request`   the schema of its JSON body, empty if it takes none
    `response`  the schema of its JSON answer, empty for the other media
    `grant`     what the caller must be allowed (`api:read` or `api:write`); empty: anybody may ask
    `refusals`  the statuses besides 401 and 403 that it may answer with, each with a sentence
    """

    method: str
    path: str
    handler: str
    tag: Tag
    summary: str
    detail: str = ""
    params: tuple[Param, ...] = ()
    request: str = ""
    response: str = ""
    media: Media = Media.JSON
    grant: str = "api:read"
    status: int = 200
    refusals: tuple[tuple[int, str], ...] = ()


def starlette_routes(routes: Sequence[ApiRoute], handlers: Mapping[str, Handler]) -> list[Route]:
    """Routes to mount, in the table's order.

    Raises: LookupError where a route has no handler or a handler no route: a mistake in the server.
    """
    wanted = {route.handler for route in routes}
    if wanted != set(handlers):
        missing, unknown = sorted(wanted - set(handlers)), sorted(set(handlers) - wanted)
        raise LookupError(f"routes without a handler: {missing}; handlers without a route: {unknown}")
    return [Route(r.path, handlers[r.handler], methods=[r.method], name=r.handler) for r in routes]

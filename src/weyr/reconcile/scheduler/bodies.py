"""What is declared by name, as it is now."""

from typing import TypeVar

B = TypeVar("B")


def put(bodies: dict[str, B], name: str, body: B | None) -> bool:
    """Sets it, or takes it away (None). Gives whether that changed anything."""
    if bodies.get(name) == body:
        return False
    if body is None:
        del bodies[name]
    else:
        bodies[name] = body
    return True

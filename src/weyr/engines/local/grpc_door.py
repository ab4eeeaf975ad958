"""Which endpoints are asked over gRPC too? One file says it, which the door follows; without it no door is opened."""

import json
import os
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from weyr.core.routes import RouteBody

NEEDS = ("grpc", "google.protobuf")


class GrpcDoor:
    """The door's list. `address` is where it listens, "" while it does not."""

    def __init__(self, file: Path, address: Callable[[], str]) -> None:
        self._file = file
        self._address = address
        self._told: list[str] | None = None

    def problem(self) -> str:
        """Why no door can be opened here, "" where one can."""
        missing = [name for name in NEEDS if not _is_installed(name)]
        return f'gRPC needs the package {missing[0]}: pip install "weyr[grpc]"' if missing else ""

    def address(self, body: RouteBody) -> str:
        return self._address() if body.grpc else ""

    def tell(self, bodies: Iterable[RouteBody]) -> None:
        """Writes the list where it has changed. Raises: OSError."""
        names = sorted(body.route for body in bodies if body.grpc)
        if names == self._told:
            return
        if names:
            temporary = self._file.with_name(f".{self._file.name}.tmp")
            temporary.write_text(json.dumps({"endpoints": names}))
            os.replace(temporary, self._file)
        else:
            self._file.unlink(missing_ok=True)
        self._told = names


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False  # not even the package that it is part of

"""How does the plane come by the keys of servers elsewhere? One file for each secret that a route names, which only
Weyr's own user may read, and which follows the secret's value."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from weyr.core.ref import Ref
from weyr.core.routes import RouteBody


class RouteKeys:
    """Takes: the folder for the files, and what gives a secret's value, None where it has none."""

    def __init__(self, folder: Path, read: Callable[[Ref], bytes | None]) -> None:
        self._folder, self._read = folder, read

    def filed(self, body: RouteBody) -> RouteBody:
        """The route with files in place of secrets. Raises: LookupError with a sentence where one has no value."""
        if not any(fallback.key_file for fallback in body.traffic.fallbacks):
            return body
        fallbacks = tuple(
            replace(fallback, key_file=str(self._file_of(fallback.key_file))) if fallback.key_file else fallback
            for fallback in body.traffic.fallbacks
        )
        return replace(body, traffic=replace(body.traffic, fallbacks=fallbacks))

    def refresh(self) -> None:
        """Writes again what has another value now. A secret that lost its value keeps the last: the route says so."""
        for path in self._files():
            value = self._read(Ref.parse(unquote(path.name)))
            if value is not None and path.read_bytes() != value:
                _write(path, value)

    def forget(self, bodies: Iterable[RouteBody]) -> None:
        """Removes the files that none of these routes names."""
        named = {fallback.key_file for body in bodies for fallback in body.traffic.fallbacks}
        for path in self._files():
            if str(path) not in named:
                path.unlink(missing_ok=True)

    def _file_of(self, secret: str) -> Path:
        if secret.startswith("/"):
            return Path(secret)  # a file of the user's own; the plane reads it at each use
        value = self._read(Ref.parse(secret))
        if value is None:
            raise LookupError(f"{secret} has no value; give it one with weyr secret set")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / quote(secret, safe="")
        _write(path, value)
        return path

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*") if not path.name.startswith(".")]


def _write(path: Path, value: bytes) -> None:
    draft = path.with_name(f".{path.name}")
    with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
        stream.write(value)
    draft.replace(path)

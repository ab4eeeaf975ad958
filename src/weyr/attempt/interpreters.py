"""Which Pythons does this machine have? Those on the PATH, those that pyenv keeps, and those that uv has unpacked.

Standard library only: nodes of other engines import this.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

NAME = re.compile(r"python3\.[0-9]+")
PLACES = ("/usr/local/bin", "/usr/bin")
KEPT = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".local/share/mise/installs/python/*/bin")
"""Below a home: where managers of versions put them."""
OLDEST = (3, 8)
"""venv and pip of what is older make nothing that lasts."""
TRY_S = 10.0


def find(version: str, environment: Mapping[str, str]) -> str:
    """The interpreter of this version, `3.12` or `3.12.1`: the newest that begins so. "" where there is none."""
    fitting = {found: path for found, path in known(environment).items() if f"{found}.".startswith(f"{version}.")}
    return fitting[max(fitting, key=_order)] if fitting else ""


def trouble(version: str, environment: Mapping[str, str]) -> str:
    """Why an environment of this version cannot be made, or ""."""
    if not version or find(version, environment):
        return ""
    has = ", ".join(sorted(known(environment), key=_order))
    return f"it asks for Python {version}, and this machine has {has}"


def known(environment: Mapping[str, str]) -> dict[str, str]:
    """The interpreters by their full versions, such as `3.12.1`; of two alike the one that is found first."""
    found: dict[str, str] = {}
    for path in _candidates(environment):
        version = _version_of(path, os.stat(path).st_mtime_ns)
        if version and _order(version) >= OLDEST:
            found.setdefault(version, path)
    return found


def _candidates(environment: Mapping[str, str]) -> Iterator[str]:
    yield sys.executable
    folders = [Path(name) for name in (*environment.get("PATH", os.defpath).split(":"), *PLACES) if name]
    home = Path(os.path.expanduser("~"))
    folders += [folder for pattern in KEPT for folder in sorted(home.glob(pattern))]
    for folder in dict.fromkeys(folders):
        if folder.name == "shims" or not folder.is_dir():
            continue  # a shim chooses by the folder that it is run in
        yield from (str(path) for path in sorted(folder.iterdir()) if NAME.fullmatch(path.name) and path.exists())


@cache
def _version_of(path: str, _changed_at: int) -> str:
    """What it says it is; "" where it does not run, or says that it is something else than CPython."""
    code = "import sys; print(sys.implementation.name, *sys.version_info[:3], sep='.')"
    try:
        done = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, timeout=TRY_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    name, _, version = done.stdout.strip().partition(".")
    return version if done.returncode == 0 and name == "cpython" else ""


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

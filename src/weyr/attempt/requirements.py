"""Which Python environment does a task need, and where does it lie? Named by all that decides what is in it.

Standard library only: nodes of other engines import this.
"""

import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from weyr.attempt import interpreters
from weyr.attempt.task_folder import BuildOrder, Order

FILES = ("-r", "--requirement", "-c", "--constraint")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
SETTINGS = ("PIP_", "UV_", *PROXIES, "SSL_CERT_", "REQUESTS_CA_BUNDLE")
"""The beginnings of the variables with which users tell pip and uv where packages are."""


def needed(order: Order, root: str, python: str, surroundings: Mapping[str, str]) -> Order:
    """An order whose program runs in the environment that it asks for, below `root` on this machine.

    `python` is the interpreter that it is made with unless the order names a version, and `surroundings` say where
    packages come from; what the task's own `env` says of that goes over them. Raises: OSError where a file of
    requirements cannot be read.
    """
    requirements = order["requirements"]
    if not requirements and not order["python"]:
        return order
    ours, python = python, interpreters.find(order["python"], surroundings) if order["python"] else python
    settings = {name: value for name, value in surroundings.items() if name.startswith(SETTINGS)}
    env = settings | {"HOME": os.path.expanduser("~")} | order["env"]
    env["PATH"] = f"{env.get('PATH', os.defpath)}:{surroundings.get('PATH', os.defpath)}"  # uv may lie in a home
    if order["sandbox"]:
        # What a package runs while it is built would run outside the task's sandbox.
        env |= {"PIP_ONLY_BINARY": ":all:", "UV_NO_BUILD": "1"}
    folder = os.path.join(root, key_of(requirements, python, order["workdir"], env))
    argv = [ours, "-I", "-m", "weyr.attempt.environment", folder, python, *requirements]
    path = f"{folder}/bin:{order['env'].get('PATH', os.defpath)}"
    return order | {
        "build": BuildOrder(folder=folder, argv=argv, workdir=order["workdir"], env=env),
        "env": order["env"] | {"PATH": path, "VIRTUAL_ENV": folder},
    }


def key_of(requirements: Sequence[str], python: str, workdir: str, env: Mapping[str, str]) -> str:
    """Names an environment; the order of its requirements does not. Raises: OSError."""
    parts = [
        python,
        sys.version,
        sysconfig.get_platform(),
        sorted([line, _contents(line, workdir)] for line in requirements),
        sorted(f"{name}={value}" for name, value in env.items() if name.startswith(("PIP_", "UV_"))),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def trouble(requirements: Sequence[str], workdir: str) -> str:
    """Why these cannot be read, or ""."""
    try:
        for line in requirements:
            _contents(line, workdir)
    except (OSError, ValueError) as e:
        return f"its requirements cannot be read: {e}"
    return ""


def words_of(line: str) -> list[str]:
    """`-r requirements.txt` is two words; a requirement with spaces in it is one."""
    option, space, rest = line.partition(" ")
    return [option, rest.strip()] if space and option.startswith("-") else [line]


def _contents(line: str, workdir: str) -> str:
    words = words_of(line)
    return Path(workdir, words[-1]).read_text() if words[0] in FILES else ""

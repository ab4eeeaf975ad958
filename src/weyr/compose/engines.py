"""The engines that a stack's tasks may run on, by name. Light: what an engine needs is loaded when it is used."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec

from weyr.attempt import image, interpreters
from weyr.compose.doors import listen_of
from weyr.core.diagnostic import Diagnostic, Severity
from weyr.core.engine import LOCAL, LOCAL_ENGINE, EngineKind, On
from weyr.core.task_spec import PythonEnvironment
from weyr.engines.ray import ENGINE as RAY
from weyr.engines.slurm.settings import ENGINE as SLURM
from weyr.stack.stack import Stack
from weyr.store.home import Home

ENGINES: dict[str, EngineKind] = {engine.name: engine for engine in (LOCAL_ENGINE, RAY, SLURM)}


def missing(engine: str) -> Diagnostic | None:
    """What this machine lacks to use an engine, if anything."""
    match engine:
        case "ray" if find_spec("ray") is None:
            detail = "To reach a Ray cluster the server needs the package ray, which is not installed beside it."
            return Diagnostic("An extra is missing", detail, suggestion="pip install 'weyr[ray]'")
        case "slurm" if shutil.which("sbatch") is None:
            detail = "Jobs are given to Slurm by its own commands, and sbatch is not on the server's PATH."
            return Diagnostic("A tool is missing", detail, suggestion="apt-get install slurm-client")
        case _:
            return None


def image_findings(stack: Stack, engine: Callable[[], image.Engine] = image.engine) -> list[Diagnostic]:
    """Objects that ask for an image, where this machine is to run them and has no container engine that works."""
    asked = [item for item in stack.objects.values() if getattr(item.spec, "image", "")]
    if stack.on.engine != LOCAL or not asked or not (trouble := engine().trouble):
        return []
    return [
        Diagnostic(
            "No container engine", f"image: {trouble}, and a setting is never ignored.", Severity.FATAL,
            item.place_of("image"), str(item.ref), image.INSTALL,
        )
        for item in asked
    ]  # fmt: skip


def python_findings(stack: Stack) -> list[Diagnostic]:
    """Objects that ask for a Python that this machine lacks, where it is to run them."""
    if stack.on.engine != LOCAL:
        return []
    asked = [
        (item, python.version)
        for item in stack.objects.values()
        if isinstance(python := getattr(item.spec, "python", None), PythonEnvironment) and python.version
    ]
    return [
        Diagnostic(
            "No such Python", f"{item.ref}: {trouble}.", Severity.FATAL, item.place_of("python", "version"),
            str(item.ref), f"uv python install {version}",
        )
        for item, version in asked
        if (trouble := interpreters.trouble(version, os.environ))
    ]  # fmt: skip


def standing_findings(on: On, home: Home) -> list[Diagnostic]:
    """What a plan for this engine should know of the machine that the server runs on."""
    if on.engine == LOCAL:
        return []
    lacks = missing(on.engine)
    if lacks is not None:
        return [lacks]
    if listen_of(home):
        return []
    detail = (
        "The server and its object store listen on this machine's loopback only, where tasks on other machines cannot "
        "reach them: neither runs nor checkpoints nor buckets."
    )
    suggestion = "weyr server stop; weyr server start --listen ADDRESS"
    return [Diagnostic("Other machines cannot reach this one", detail, Severity.WARN, suggestion=suggestion)]

"""What does a replica run: Weyr's own model server, a known engine, or any command? Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from weyr.core.capability import IN_HEALTH, PYTHON, TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.task_spec import command_of, task_body
from weyr.kinds.ml.endpoint.engines import ENGINES, FILES, GGUF, Engine, Load, line_of
from weyr.kinds.ml.endpoint.fields.program import ProgramSpec

SERVER = (PYTHON, "-I", "-m", "weyr.runtime.serve")
"""The first words of Weyr's own model server; it knows its socket and its cache from its environment."""
WITH_FILES = ('exec "$WEYR_PYTHON" -I -m weyr.runtime.weights "$@"', "weights")
"""What brings a version's files before a program that is not Weyr's; a shell, for the engine knows where Python is."""
CHECKED = ("--every=5", "--timeout=2", "--failures=3", "--")


@dataclass(frozen=True, slots=True)
class Files:
    """Where a version's files are, which version of which model that is, as `chat/3`, and what they were then."""

    source: str
    version: str
    seal: str = ""


def served_body(
    ref: Ref,
    spec: ProgramSpec,
    needs: Mapping[Ref, Need],
    folder: str,
    words: tuple[str, ...],
    sources: tuple[str, ...],
) -> TaskBody:
    """Weyr's own server. `words` say which models, `sources` where their files are: it may read those."""
    body = task_body(ref, spec, needs, folder, (*SERVER, *words))
    return replace(body, probe="/v2/health/ready", grants=_with_files(body.grants, sources))


def program_body(
    ref: Ref, spec: ProgramSpec, needs: Mapping[Ref, Need], folder: str, name: str, files: Files | None
) -> TaskBody:
    """A program that is not Weyr's, and what answers the engine for it. `files` are those of a version, if any."""
    source = files.source if files else ""
    engine = ENGINES[spec.engine] if spec.engine else None
    command = command_of(_line(engine, spec, name, source) if engine else spec.run or ())
    if files:
        seal = ("--seal", files.seal) if files.seal else ()
        which = ("--source", source, "--version", files.version, *seal)
        suffix = ("--suffix", engine.suffix) if engine and engine.suffix else ()
        command = ("/bin/sh", "-c", *WITH_FILES, *which, *suffix, "--", *command)
    in_socket = engine is None and spec.listens == "socket"
    argv = command if in_socket else (*IN_HEALTH, _check(engine, spec, name), *CHECKED, *command)
    body = task_body(ref, spec, needs, folder, argv)
    return replace(
        body,
        env={"WEYR_BASE_PATH": f"/{ref.stack}/{ref.name}", **body.env},
        probe=spec.ready or "/" if in_socket else "/",
        ports=() if in_socket else (0,) * (engine.ports if engine else 1),
        grants=_with_files(body.grants, (source,) if source else ()),
    )


def first_path(spec: ProgramSpec, name: str) -> str:
    """What to ask a program that is not Weyr's, to see that it is there; "" for Weyr's own."""
    if spec.engine is None:
        return "" if spec.run is None else spec.ready or "/"
    return {"openai": "/v1/models", "v2": "/v2", "v1": f"/v1/models/{name}"}[ENGINES[spec.engine].protocol]


def _line(engine: Engine, spec: ProgramSpec, name: str, source: str) -> str:
    given = spec.resources.accelerators
    place = shlex.quote(spec.weights or "")
    if source and engine.suffix and not spec.weights:
        place = GGUF
    elif source:
        place = FILES + (f"/{place}" if spec.weights else "")
    is_hub = not source and engine.takes_hub and not (spec.weights or "").startswith(("/", "./", "../"))
    return line_of(engine, Load(place, is_hub, shlex.quote(name), max(1, given.count) if given else 1), spec.args)


def _check(engine: Engine | None, spec: ProgramSpec, name: str) -> str:
    path = spec.ready or (engine.ready.format(name=name) if engine else "")
    return f"--http={path}" if path else "--tcp"


def _with_files(grants: tuple[str, ...], sources: tuple[str, ...]) -> tuple[str, ...]:
    """The files of the versions, and nothing beside what the spec names itself."""
    places = [source.removeprefix("s3://").rstrip("/") + "/*" for source in sources]
    return tuple(dict.fromkeys((*grants, *(f"s3:{verb}:{place}" for place in places for verb in ("read", "list")))))

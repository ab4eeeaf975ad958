"""What may be said of anything that runs as a task? The fields that jobs, services, sessions and functions share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from weyr.core.capability import Sandbox, TaskBody
from weyr.core.decision import Need
from weyr.core.priorities import PRIORITY_MAX
from weyr.core.ref import Ref
from weyr.core.schema import AcceleratorAmount, Duration, Name, Reference, Size, Spec, SpecPart, checked, field, to


class Resources(SpecPart):
    """What one process may use; both limits are enforced."""

    cpu: float = field(1.0, description="CPU cores; a fraction is a share of one.", gt=0, le=1024, examples=[2])
    memory: Size | None = field(
        None, description="Memory of the whole process tree; the task is ended when it needs more.", ge=2**20
    )
    disk: Size | None = field(
        None, description="What it may write into its folders; the task is ended when it writes more.", ge=2**20
    )
    processes: int | None = field(
        None,
        description="Processes and threads; by default 1,024 and 512 more for each CPU.",
        ge=8,
        le=2**20,
        strict=True,
    )

    accelerators: AcceleratorAmount | None = field(
        None, description="GPUs or the like: whole ones, a share of one, a part of its memory, or a MIG profile."
    )


class PythonEnvironment(SpecPart):
    """A Python environment made for the task, and kept for the next one that wants the same."""

    requirements: tuple[str, ...] = field((), description="Packages, as pip takes them.", examples=[["numpy==2.1"]])
    file: str = field(
        "", description="A file of more of them, relative to the stack file.", examples=["requirements.txt"]
    )
    version: str = field(
        "", description="The Python it is made with, one that the machine has; Weyr's own where none is named.",
        pattern=r"^(3\.[0-9]+(\.[0-9]+)?)?$", examples=["3.12"],
    )  # fmt: skip


class SandboxPart(SpecPart):
    """What a task may see and reach of the machine, beside its own folder and a read-only system."""

    network: Literal["none", "local", "full"] = field(
        "local", description="The object store, tracking and the API of Weyr: local; the machine's network: full."
    )
    tmp: Size = field(2**30, description="How much it may write into /tmp and its home, which end with it.", ge=2**20)
    reads: tuple[str, ...] = field((), description="Files and folders it may read, relative to the stack file.")
    writes: tuple[str, ...] = field((), description="Files and folders it may read and write.")


def _sandbox(value: bool | SandboxPart) -> SandboxPart | None:
    """`true` as what it is short for."""
    return value if isinstance(value, SandboxPart) else SandboxPart() if value else None


class TaskSpec(Spec):
    """The base of every spec whose object runs as tasks."""

    folder: str = field(".", description="Where it runs, relative to the stack file.")
    ship: bool = field(
        False, description="Run in a copy of the folder, as it was when this version of the object was first started."
    )
    env: dict[str, str] = field({}, description="Environment variables.")
    secrets: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="Variables whose values are secrets: NAME: secret/name."
    )
    secret_files: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="Files whose contents are secrets: FILE: secret/name. They lie in $WEYR_SECRETS_DIR."
    )
    resources: Resources = field(Resources(), description="What it may use.")
    image: str = field("", description="The container image it runs in, where the engine has containers.")
    python: PythonEnvironment = field(PythonEnvironment(), description="The Python packages it needs.")
    sandbox: Annotated[bool | SandboxPart | None, checked(_sandbox)] = field(
        None, description="Run it in a sandbox: true, or what it may see and reach there."
    )
    queue: Annotated[Reference, to("queue", is_shared=True)] | None = field(
        None, description="The queue it stands in; one of another stack as team:queue/gpu."
    )
    pool: Annotated[Reference, to("pool", is_shared=True)] | None = field(
        None, description="The pool whose nodes it runs on; one of another stack as team:pool/gpu."
    )
    labels: dict[str, str] = field({}, description="It runs only on nodes with all of these labels.", max_length=50)
    tolerates: tuple[str, ...] = field((), description="Taints of nodes that it may run on.", max_length=50)
    priority: Annotated[int, field(ge=-PRIORITY_MAX, le=PRIORITY_MAX, strict=True)] | Name = field(
        0,
        description="Higher ones go first in their queue: a number, or one of its priority classes, such as high.",
        examples=["high"],
    )
    grace: Duration = field(10.0, description="Time between SIGTERM and SIGKILL when it is stopped.", ge=0, le=3600)
    reads: tuple[Annotated[Reference, to("bucket")], ...] = field((), description="Buckets it may read.")
    writes: tuple[Annotated[Reference, to("bucket")], ...] = field((), description="Buckets it may read and write.")


def task_body(ref: Ref, spec: TaskSpec, needs: Mapping[Ref, Need], base_folder: str, argv: tuple[str, ...]) -> TaskBody:
    """A task of an object as far as the shared fields say it. Takes needs that are all ready."""
    return replace(
        asked(ref, spec),
        argv=argv,
        workdir=_absolute(spec.folder, base_folder),
        env=spec.env,
        secret_env={name: to.ref(ref.stack) for name, to in spec.secrets.items()},
        secret_files={name: to.ref(ref.stack) for name, to in spec.secret_files.items()},
        grants=bucket_grants(ref, spec, needs),
        grace_s=spec.grace,
        image=spec.image,
        requirements=_requirements_of(spec.python, base_folder),
        python=spec.python.version,
        disk_bytes=spec.resources.disk,
        processes_max=spec.resources.processes or 0,
        sandbox=_sandbox_of(spec.sandbox, base_folder),
        ship=spec.ship,
    )


def asked(ref: Ref, spec: TaskSpec) -> TaskBody:
    """What one task of an object asks of the scheduler: no program, only where it may run and what room it takes."""
    return TaskBody(
        argv=(),
        workdir="",
        cpu=spec.resources.cpu,
        memory_bytes=spec.resources.memory,
        queue=spec.queue.ref(ref.stack).absolute if spec.queue else "",
        pool=spec.pool.ref(ref.stack).absolute if spec.pool else "",
        labels=tuple(sorted(spec.labels.items())),
        bears=spec.tolerates,
        priority=spec.priority if isinstance(spec.priority, int) else 0,
        priority_class=spec.priority if isinstance(spec.priority, str) else "",
        accelerators=spec.resources.accelerators,
    )


def _sandbox_of(part: bool | SandboxPart | None, base_folder: str) -> Sandbox | None:
    if not isinstance(part, SandboxPart):
        return None
    reads, writes = (tuple(_absolute(path, base_folder) for path in paths) for paths in (part.reads, part.writes))
    return Sandbox(part.network, part.tmp, reads, writes)


def _requirements_of(python: PythonEnvironment, base_folder: str) -> tuple[str, ...]:
    file = (f"-r {_absolute(python.file, base_folder)}",) if python.file else ()
    return (*python.requirements, *file)


def _absolute(path: str, base_folder: str) -> str:
    return path if path.startswith("/") else f"{base_folder}/{path}"


def bucket_grants(ref: Ref, spec: TaskSpec, needs: Mapping[Ref, Need]) -> tuple[str, ...]:
    """The least that the spec asks for: the buckets it names, as it names them."""
    grants: list[str] = []
    for bucket in (*spec.reads, *spec.writes):
        name = needs[bucket.ref(ref.stack)].outputs["name"]
        grants += [f"s3:read:{name}/*", f"s3:list:{name}/*"]
    grants += [f"s3:write:{needs[bucket.ref(ref.stack)].outputs['name']}/*" for bucket in spec.writes]
    return tuple(dict.fromkeys(grants))


def command_of(run: str | tuple[str, ...]) -> tuple[str, ...]:
    """A command as it is executed: a text is a line for the shell, a list is its words."""
    return ("/bin/sh", "-c", run) if isinstance(run, str) else run

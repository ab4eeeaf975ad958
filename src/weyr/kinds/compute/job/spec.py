"""What may be said of a job."""

from typing import Annotated

from weyr.core.schema import Count, Duration, Reference, Size, Spec, SpecPart, field, to


class Resources(SpecPart):
    """What one process may use; both limits are enforced."""

    cpu: float = field(1.0, description="CPU cores; a fraction is a share of one.", gt=0, le=1024, examples=[2])
    memory: Size | None = field(
        None, description="Memory of the whole process tree; the task is ended when it needs more.", ge=2**20
    )


class Checkpoint(SpecPart):
    """Where a job's checkpoints are kept, so that an interrupted attempt is not lost."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket that keeps them.")
    every: Duration = field(30.0, description="How often a new checkpoint is looked for and saved.", ge=0.1)
    keep: int = field(3, description="How many whole checkpoints stay in the bucket.", ge=1, le=1000, strict=True)


class Retries(SpecPart):
    """How often an attempt that failed by itself is tried again. Reclaimed and lost ones always are."""

    max: Count = field(0, description="Further attempts after a failure of the program itself.")
    backoff: Duration = field(1.0, description="Wait before the first of them; doubled for each further one.")


class JobSpec(Spec):
    """A program that runs to its end, once for each version of its spec."""

    run: str | tuple[str, ...] = field(
        description="The command: a line for the shell, or a list of words.", examples=["python train.py"], min_length=1
    )
    folder: str = field(".", description="Where it runs, relative to the stack file.")
    env: dict[str, str] = field({}, description="Environment variables.")
    secrets: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="Variables whose values are secrets: NAME: secret/name."
    )
    secret_files: dict[str, Annotated[Reference, to("secret")]] = field(
        {}, description="Files whose contents are secrets: FILE: secret/name. They lie in $WEYR_SECRETS_DIR."
    )
    resources: Resources = field(Resources(), description="What it may use.")
    time_limit: Duration | None = field(None, description="It is stopped, and fails, after this long.", gt=0)
    expected_duration: Duration | None = field(
        None, description="How long a run usually takes; only the plan's price uses it.", gt=0
    )
    grace: Duration = field(10.0, description="Time between SIGTERM and SIGKILL when it is stopped.", ge=0, le=3600)
    spot: bool = field(False, description="Run at the spot price; its node may be reclaimed at short notice.")
    retries: Retries = field(Retries(), description="What happens when the program fails.")
    rerun: Count = field(0, description="Change this number to run a finished job again though nothing else changed.")
    checkpoint: Checkpoint | None = field(None, description="Keep its checkpoints, and begin from the newest.")
    reads: tuple[Annotated[Reference, to("bucket")], ...] = field((), description="Buckets it may read.")
    writes: tuple[Annotated[Reference, to("bucket")], ...] = field((), description="Buckets it may read and write.")
    artifacts: Annotated[Reference, to("bucket")] | None = field(
        None, description="The bucket for its runs' artifacts; by default the one for its checkpoints."
    )
    produces: Annotated[Reference, to("model")] | None = field(None, description="The model that it adds a version to.")

"""What may be said of a job."""

from typing import Annotated

from weyr.core.schema import Count, Duration, Reference, SpecPart, field, to
from weyr.core.task_spec import TaskSpec


class Checkpoint(SpecPart):
    """Where a job's checkpoints are kept, so that an interrupted attempt is not lost."""

    bucket: Annotated[Reference, to("bucket")] = field(description="The bucket that keeps them.")
    every: Duration = field(30.0, description="How often a new checkpoint is looked for and saved.", ge=0.1)
    keep: int = field(3, description="How many whole checkpoints stay in the bucket.", ge=1, le=1000, strict=True)


class Retries(SpecPart):
    """How often an attempt that failed by itself is tried again. Reclaimed and lost ones always are."""

    max: Count = field(0, description="Further attempts after a failure of the program itself.")
    backoff: Duration = field(1.0, description="Wait before the first of them; doubled for each further one.")


class JobSpec(TaskSpec):
    """A program that runs to its end, once for each version of its spec."""

    run: str | tuple[str, ...] = field(
        description="The command: a line for the shell, or a list of words.", examples=["python train.py"], min_length=1
    )
    time_limit: Duration | None = field(None, description="It is stopped, and fails, after this long.", gt=0)
    expected_duration: Duration | None = field(
        None, description="How long a run usually takes; only the plan's price uses it.", gt=0
    )
    spot: bool = field(False, description="Run at the spot price; its node may be reclaimed at short notice.")
    retries: Retries = field(Retries(), description="What happens when the program fails.")
    rerun: Count = field(0, description="Change this number to run a finished job again though nothing else changed.")
    checkpoint: Checkpoint | None = field(None, description="Keep its checkpoints, and begin from the newest.")
    artifacts: Annotated[Reference, to("bucket")] | None = field(
        None, description="The bucket for its runs' artifacts; by default the one for its checkpoints."
    )
    produces: Annotated[Reference, to("model")] | None = field(None, description="The model that it adds a version to.")

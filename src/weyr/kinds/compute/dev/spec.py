"""What may be said of a development session."""

from weyr.core.opening_fields import Calendar
from weyr.core.schema import Boolean, Duration, field
from weyr.core.task_spec import TaskSpec


class DevSpec(TaskSpec):
    """A place to work in: the folder, the environment and the resources that a job would have."""

    jupyter: Boolean = field(False, description="Run JupyterLab, which its Python environment must have.")
    run: str | tuple[str, ...] | None = field(
        None, description="Or another program with a page of its own; it listens at $PORT.", min_length=1
    )
    idle_after: Duration = field(3600.0, description="It ends when nothing has happened for so long.", ge=1)
    calendar: Calendar | None = field(
        None, description="When it may be open: it ends when this closes, and what is begun while it is closed ends "
        "with the next closing.",
    )  # fmt: skip
    max_duration: Duration | None = field(None, description="It ends after this long, whatever happens.", gt=0)

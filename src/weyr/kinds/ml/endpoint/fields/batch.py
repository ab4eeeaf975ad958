"""How does Weyr's own model server put requests together?"""

from weyr.core.schema import Duration, SpecPart, field


class Batch(SpecPart):
    """How requests are put together into one call of a model."""

    size: int | None = field(
        None,
        description="Rows of one call, at most; by default 512, and 1 for no batches.",
        ge=1,
        le=65_536,
        strict=True,
    )
    delay: Duration = field(
        0.0, description="How long a request waits for others; by default none waits, and those that wait anyway go "
        "together.", ge=0, le=10, examples=["5ms"],
    )  # fmt: skip
    pad: float | None = field(
        None, description="Makes requests of different lengths one batch, filled up with this value, and cuts their "
        "answers back; only for models with an open axis beside the rows.", allow_inf_nan=False, examples=[0],
    )  # fmt: skip

"""What may be said of an endpoint. Its parts stand in `fields`."""

from typing import Annotated

from weyr.core.schema import Duration, Reference, field, to
from weyr.kinds.ml.endpoint.fields.program import ProgramSpec
from weyr.kinds.ml.endpoint.fields.scale import Scale

IN_PLACE = frozenset({"protect", "model", "scale", "hold", "grace"})
"""Fields that say nothing about what a replica is: a change of them disturbs none. What a model is, its version says.
"""


class EndpointSpec(ProgramSpec):
    """A model behind an address, spoken to by the Open Inference Protocol v2, or whatever its own program speaks."""

    model: Annotated[Reference, to("model", alias="production")] | None = field(
        None, description="What it serves: a model and an alias.", examples=["digits@production"]
    )
    scale: Scale = field(Scale(), description="How many replicas answer.")
    hold: Duration = field(30.0, description="How long a request waits while no replica is ready.", ge=0, le=3600)
    grace: Duration = field(30.0, description="Time a replica has to finish its requests when it is replaced.", ge=0)

"""What may be said of an endpoint."""

from typing import Annotated

from weyr.core.schema import Duration, Reference, Size, Spec, SpecPart, field, to


class Resources(SpecPart):
    """What one replica may use; both limits are enforced."""

    cpu: float = field(1.0, description="CPU cores of one replica.", gt=0, le=1024)
    memory: Size | None = field(
        None, description="Memory of one replica; it is restarted when it needs more.", ge=2**20
    )


class Scale(SpecPart):
    """How many replicas answer."""

    min: int = field(1, description="Replicas kept at rest; 0 lets the endpoint sleep.", ge=0, le=1000, strict=True)
    max: int = field(1, description="The most replicas at any time.", ge=1, le=1000, strict=True)
    target_inflight: int = field(8, description="Requests at once that one replica should have.", ge=1, strict=True)
    idle_after: Duration = field(300.0, description="Time without a request before it goes back to min.", gt=0)


class EndpointSpec(Spec):
    """A model behind an address, spoken to by the Open Inference Protocol v2."""

    model: Annotated[Reference, to("model", alias="production")] = field(
        description="What it serves: a model and an alias.", examples=["digits@production"]
    )
    scale: Scale = field(Scale(), description="How many replicas answer.")
    resources: Resources = field(Resources(), description="What one replica may use.")
    hold: Duration = field(30.0, description="How long a request waits while no replica is ready.", ge=0, le=3600)
    grace: Duration = field(30.0, description="Time a replica has to finish its requests when it is replaced.", ge=0)

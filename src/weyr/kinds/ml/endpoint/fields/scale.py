"""How many replicas of an endpoint may there be?"""

from weyr.core.schema import Duration, SpecPart, field


class Scale(SpecPart):
    """How many replicas answer."""

    min: int = field(1, description="Replicas kept at rest; 0 lets the endpoint sleep.", ge=0, le=1000, strict=True)
    max: int = field(1, description="The most replicas at any time.", ge=1, le=1000, strict=True)
    target_inflight: int = field(8, description="Requests at once that one replica should have.", ge=1, strict=True)
    idle_after: Duration = field(300.0, description="Time without a request before it goes back to min.", gt=0)

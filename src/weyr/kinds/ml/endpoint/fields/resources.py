"""What may one replica of an endpoint use?"""

from weyr.core.schema import Size, SpecPart, field


class Resources(SpecPart):
    """What one replica may use; both limits are enforced."""

    cpu: float = field(1.0, description="CPU cores of one replica.", gt=0, le=1024)
    memory: Size | None = field(
        None, description="Memory of one replica; it is restarted when it needs more.", ge=2**20
    )

"""What may be said of a secret. Never its value."""

from weyr.core.schema import Spec, field


class SecretSpec(Spec):
    """A value that tasks get as a variable or a file, encrypted at rest and never printed."""

    generate: int | None = field(
        None,
        description="Draw a random value of so many characters if none was set; else set one with `weyr secret set`.",
        ge=8,
        le=1024,
        strict=True,
        examples=[32],
    )

"""What may be said of a model."""

from typing import Annotated

from weyr.core.schema import Name, Spec, checked, field
from weyr.kinds.ml.model.gate import parse_rule

Rule = Annotated[str, checked(lambda text: parse_rule(text) and text)]


class ModelSpec(Spec):
    """A registered model: its versions come from jobs, its alias from a gate they must pass."""

    name: str | None = field(
        None,
        description="The model's name in the registry; by default the stack's name, a dash and this object's name.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,99}$",
    )
    alias: Name = field("production", description="The alias that the gate moves.")
    promote_if: dict[str, Rule] = field(
        {},
        description="What the newest version's metrics must be for the alias to move to it; without any, the alias "
        "is yours to move with an MLflow client.",
        examples=[{"accuracy": ">= 0.95"}],
    )
    only_data: bool = field(
        False,
        description="Whether endpoints refuse its versions that run code when they are loaded: pickles, and formats "
        "that bring Python modules of their own.",
    )

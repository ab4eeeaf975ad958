"""What may be said of an endpoint. Its parts stand in `fields`."""

import json
from functools import cached_property

from weyr.core.route_limits import RouteLimits
from weyr.core.scale_fields import Scale
from weyr.core.schema import Boolean, Duration, Name, field
from weyr.kinds.ml.endpoint.fields.limits import CallLimits, Outliers, Repeats, TimeLimits, Waiting, route_limits
from weyr.kinds.ml.endpoint.fields.program import ProgramSpec
from weyr.kinds.ml.endpoint.fields.rollout import Rollout
from weyr.kinds.ml.endpoint.fields.traffic import Balance, Fallback, Model, Rule, Shadow, Sticky, Variant
from weyr.kinds.ml.endpoint.fields.watch import Watching

IN_PLACE = frozenset(
    {"protect", "tags", "model", "models", "variants", "rules", "sticky", "shadow", "fallback", "balance", "scale",
     "rollout", "hold", "grace", "ready_within", "watch", "limits", "waiting", "timeouts", "retries", "outliers",
     "grpc"}
)  # fmt: skip
"""Fields that say nothing about what a replica is: a change of them disturbs none. What a model is, its version says.
"""


class EndpointSpec(ProgramSpec):
    """A model behind an address, spoken to by the Open Inference Protocol v2, or whatever its own program speaks."""

    model: Model | None = field(
        None, description="What it serves: a model and an alias.", examples=["digits@production"]
    )
    models: tuple[Model, ...] = field(
        (), description="Several models that every replica serves, each at its own name.", max_length=100
    )
    variants: dict[Name, Variant] = field(
        {}, description="Several models side by side that share the requests (A/B).", max_length=20,
        examples=[{"a": {"model": "digits@production", "weight": 90}, "b": {"model": "digits@beta", "weight": 10}}],
    )  # fmt: skip
    rules: tuple[Rule, ...] = field(
        (), description="Which requests go to which variant whatever the weights; the first that holds.", max_length=100
    )
    sticky: Sticky | None = field(None, description="By what a caller stays with one variant.")
    shadow: Shadow | None = field(None, description="A model that gets copies of requests and never answers.")
    fallback: tuple[Fallback, ...] = field(
        (), description="Who answers where it cannot, one after the other.", max_length=10
    )
    balance: Balance = field(Balance(), description="Which replica of a version answers a request.")
    rollout: Rollout = field(Rollout(), description="How a new version takes over.")
    scale: Scale = field(Scale(), description="How many replicas answer.")
    hold: Duration = field(30.0, description="How long a request waits while no replica is ready.", ge=0, le=3600)
    ready_within: Duration = field(
        600.0, description="How long a replica may take to be ready, or to be ready again; then it has failed.", gt=0,
        le=86_400,
    )  # fmt: skip
    grace: Duration = field(30.0, description="Time a replica has to finish its requests when it is replaced.", ge=0)
    grpc: Boolean = field(False, description="Whether the Open Inference Protocol is answered over gRPC too.")
    limits: CallLimits = field(CallLimits(), description="How much may be asked.")
    waiting: Waiting = field(Waiting(), description="Requests that wait for a replica.")
    timeouts: TimeLimits = field(TimeLimits(), description="How long the plane waits for a replica.")
    retries: Repeats = field(Repeats(), description="When a request is sent to another replica.")
    outliers: Outliers = field(Outliers(), description="Which replicas are left alone.")
    watch: Watching = field(Watching(), description="What is noted of requests, beside counts.")

    @cached_property
    def replica_text(self) -> str:
        """All that makes a replica what it is, as one text. Every look asks for it: worked out once."""
        plain = self.model_dump(mode="json", exclude=set(IN_PLACE), exclude_defaults=True)
        return json.dumps(plain, sort_keys=True)

    @cached_property
    def route_limits(self) -> RouteLimits:
        """What the plane is told of limits, which every look tells it: worked out once."""
        return route_limits(self.limits, self.waiting, self.timeouts, self.retries, self.outliers)

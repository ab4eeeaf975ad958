"""What is impossible or unwise in how an endpoint's versions share its requests? Told in the plan."""

from collections.abc import Iterator

from weyr.core.checking import Finding
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.kinds.ml.endpoint.memory import NEXT, SHADOW
from weyr.kinds.ml.endpoint.spec import EndpointSpec

FATAL, WARN = Severity.FATAL, Severity.WARN
OF_URL = ("model", "secret", "key_file", "prompt_price", "completion_price", "budget")
"""What is said of a fallback elsewhere alone."""


def traffic_findings(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    """All of them at once."""
    yield from _of_models(ref, spec)
    yield from _of_variants(ref, spec)
    yield from _of_rules(ref, spec)
    yield from _of_fallbacks(ref, spec)
    yield from _of_rollout(ref, spec)


def _of_models(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    given = [word for word in ("model", "models", "variants") if getattr(spec, word)]
    if len(given) > 1:
        detail = f"{ref} has {' and '.join(given)}; one of them says what it serves."
        yield Finding(ref, (given[1],), FATAL, "Two answers to what it serves", detail)
    for index, twin in enumerate(spec.models):
        if twin in spec.models[:index]:
            yield Finding(ref, ("models", index), FATAL, "A model that is there twice", f"{ref} names {twin} twice.")
    if spec.models and (spec.run is not None or spec.engine):
        detail = f"{ref}: only Weyr's own model server serves several models from one replica."
        yield Finding(ref, ("models",), FATAL, "A field that cannot be honoured", detail)
    if spec.shadow:
        for side, model in (("it", spec.model), *((name, v.model) for name, v in spec.variants.items())):
            if model == spec.shadow.model:
                detail = f"{ref}: {side} serves {model} too, so the shadow's answers would be compared with their like."
                yield Finding(ref, ("shadow", "model"), WARN, "A shadow of itself", detail)
        if not spec.shadow.sample:
            yield Finding(ref, ("shadow", "sample"), FATAL, "A shadow without requests", f"{ref}: it would get none.")


def _of_variants(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    for name in spec.variants:
        if name in (NEXT, SHADOW):
            detail = f"{ref}: rules and reports call another thing {name}; give the variant another name."
            yield Finding(ref, ("variants", name), FATAL, "A name that is taken", detail)
    if spec.variants and not any(variant.weight for variant in spec.variants.values()):
        detail = f"{ref}: no variant has a weight above 0, so most requests would have nowhere to go."
        yield Finding(ref, ("variants",), FATAL, "Variants without weights", detail)
    if spec.variants and spec.rollout.is_gradual:
        detail = (
            f"{ref}: {spec.rollout.strategy} compares a new version with the old one, and variants are compared; "
            "each variant's new versions take over replica by replica."
        )
        yield Finding(ref, ("rollout", "strategy"), FATAL, "A rollout among variants", detail, "strategy: rolling")
    if spec.sticky and len(spec.variants) < 2 and spec.rollout.strategy != "canary":
        detail = f"{ref} has one version for everybody, so there is nothing that a caller could stay with."
        yield Finding(ref, ("sticky",), FATAL, "Nothing to stay with", detail)
    if spec.sticky and spec.sticky.by == "header" and not spec.sticky.name:
        yield Finding(ref, ("sticky", "name"), FATAL, "A header without a name", f"{ref}: say which header.")
    if spec.balance.by != "session" and (spec.balance.header or spec.balance.cookie):
        detail = f"{ref}: only balance by session looks at a header or a cookie."
        yield Finding(ref, ("balance",), FATAL, "A field that cannot be honoured", detail, "by: session")


def _of_rules(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    known = list(spec.variants) or ([NEXT] if spec.rollout.is_gradual else [])
    for index, rule in enumerate(spec.rules):
        path = ("rules", index)
        if rule.to not in known:
            detail = f"{ref} has no {rule.to!r} to send requests to; there {_there(known)}."
            yield Finding(ref, (*path, "to"), FATAL, "A rule to nobody", detail)
        if not (rule.header or rule.cookie or rule.caller):
            detail = f"{ref}: this rule holds of every request; weights say who gets the rest."
            yield Finding(ref, path, FATAL, "A rule without a condition", detail)


def _there(known: list[str]) -> str:
    return f"are {', '.join(known)}" if len(known) > 1 else f"is only {known[0]}" if known else "are no variants"


def _of_fallbacks(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    for index, item in enumerate(spec.fallback):
        path = ("fallback", index)
        if (item.endpoint is None) == (item.url is None):
            detail = f"{ref}: a fallback is another endpoint or a url, one of the two."
            yield Finding(ref, path, FATAL, "A fallback to nobody", detail)
        elif item.endpoint and item.endpoint.ref(ref.stack) == ref:
            yield Finding(ref, path, FATAL, "A fallback to itself", f"{ref} would ask itself when it cannot answer.")
        of_url = [word for word in OF_URL if getattr(item, word)]
        if item.endpoint and of_url:
            detail = (
                f"{ref}: {' and '.join(of_url)} can be said of a url; an endpoint of this stack needs nothing of it."
            )
            yield Finding(ref, (*path, of_url[0]), FATAL, "A field that cannot be honoured", detail)
        if item.secret and item.key_file:
            detail = f"{ref}: the key of {item.url} is in {item.secret} or in {item.key_file}; name one of them."
            yield Finding(ref, (*path, "key_file"), FATAL, "Two keys for one server", detail)
        if item.url and not item.model:
            yield Finding(
                ref, (*path, "model"), FATAL, "A fallback without a model", f"{ref}: say which it is asked for."
            )
        if item.budget and not (item.prompt_price or item.completion_price):
            detail = f"{ref}: without its prices nobody can tell when {item.url} has cost {item.budget}."
            yield Finding(ref, (*path, "budget"), FATAL, "A budget without prices", detail, "prompt_price: 0.15 USD")


def _of_rollout(ref: Ref, spec: EndpointSpec) -> Iterator[Finding]:
    rollout = spec.rollout
    steps = rollout.steps or ()
    if any(not 0 < step < 1 for step in steps) or list(steps) != sorted(set(steps)):
        detail = (
            f"{ref}: steps are shares above 0% and below 100%, each larger than the one before; all follows by itself."
        )
        yield Finding(ref, ("rollout", "steps"), FATAL, "Steps that do not ascend", detail, "steps: [5%, 25%, 50%]")
    for word in _idle_fields(spec):
        detail = f"{ref}: with strategy {rollout.strategy} nothing would heed {word}."
        yield Finding(ref, ("rollout", word), FATAL, "A field that cannot be honoured", detail, "strategy: canary")
    if rollout.surge is not None and rollout.surge_of(spec.scale.max) == 0 and rollout.unavailable == 0:
        detail = f"{ref}: with neither room for a new replica nor leave to stop an old one, no version could begin."
        yield Finding(ref, ("rollout", "surge"), FATAL, "A rollout that cannot begin", detail, "surge: 1")
    if rollout.unavailable >= max(1, spec.scale.min) and rollout.unavailable:
        detail = f"{ref}: all of its {max(1, spec.scale.min)} replicas may be away at a time, while requests wait."
        yield Finding(ref, ("rollout", "unavailable"), WARN, "A rollout with nobody answering", detail)
    if rollout.strategy == "canary" and spec.scale.min == 0:
        detail = f"{ref}: it may sleep, and a canary goes on only after {rollout.requests_min} requests in each step."
        yield Finding(ref, ("rollout", "strategy"), WARN, "A canary of what may sleep", detail, "min: 1")
    if rollout.is_gradual and not (rollout.limits.model_dump(exclude_none=True)):
        detail = f"{ref}: abort_if names no limit, so no version would ever be taken back."
        yield Finding(
            ref, ("rollout", "abort_if"), WARN, "A rollout that never goes back", detail, "abort_if: {errors: 5%}"
        )


def _idle_fields(spec: EndpointSpec) -> list[str]:
    """Fields that were given and that the strategy has no use for."""
    rollout = spec.rollout
    idle = {
        "rolling": ("steps", "every", "min_requests", "abort_if", "keep_old"),
        "canary": (),
        "blue-green": ("steps", "every", "min_requests"),
    }[rollout.strategy]
    return [word for word in idle if getattr(rollout, word) is not None]

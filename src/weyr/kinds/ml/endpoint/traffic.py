"""How do requests find their version, in the words of the planes? What the file says of it. Pure."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from weyr.core.phase import Phase
from weyr.core.routes import Balance, Fallback, Rule, Shadow, Sticky, Traffic
from weyr.kinds.ml.endpoint.fields.traffic import Fallback as FallbackSpec
from weyr.kinds.ml.endpoint.look import Look
from weyr.kinds.ml.endpoint.memory import NEXT, SHADOW, EndpointMemory

COOKIE = "weyr-variant"


def traffic_of(look: Look, memory: EndpointMemory) -> Traffic:
    """Rules, stickiness, shadows and fallbacks, but for what names a version that is not there yet."""
    spec, names = look.spec, {version.name for version in memory.told}
    sticky, shadow = spec.sticky, spec.shadow
    name = (sticky.name or (COOKIE if sticky.by == "cookie" else "")) if sticky else ""
    return Traffic(
        rules=tuple(_rules(look, memory, names)),
        sticky=Sticky(sticky.by, name, sticky.keep) if sticky else None,
        shadows=(Shadow(SHADOW, shadow.sample, shadow.tolerance, shadow.ignore),) if shadow and SHADOW in names else (),
        fallbacks=tuple(_fallbacks(look, memory)),
        balance=Balance(spec.balance.by, spec.balance.header, spec.balance.cookie),
        takes_outcomes=bool(spec.variants) or bool(spec.rollout.is_gradual and spec.rollout.limits.quality),
    )


def _rules(look: Look, memory: EndpointMemory, names: set[str]) -> Iterator[Rule]:
    side = memory.side(NEXT)
    for rule in look.spec.rules:
        to = (side.wanted.name if side.held.routed else "") if rule.to == NEXT else rule.to
        if to in names:
            yield Rule(to, tuple(rule.header.items()), tuple(rule.cookie.items()), rule.caller)


def keyless_of(look: Look) -> tuple[str, ...]:
    """The secrets that hold a fallback's key and have no value. One that nobody can ask about is taken to have one."""
    secrets = [item.secret for item in look.spec.fallback if item.secret]
    phases = {secret: look.view.needs[secret.ref(look.want.ref.stack)].phase for secret in secrets}
    return tuple(str(secret) for secret, phase in phases.items() if phase not in (Phase.READY, Phase.UNKNOWN))


def _fallbacks(look: Look, memory: EndpointMemory) -> Iterator[Fallback]:
    for item in look.spec.fallback:
        if item.secret and str(item.secret) in memory.keyless:
            continue
        if item.endpoint:
            name = item.endpoint.name
            yield Fallback(name, route=f"{look.want.ref.stack}/{name}", first_byte_s=item.after)
        elif item.url:
            prices = [price.micros if price else 0 for price in (item.prompt_price, item.completion_price)]
            yield Fallback(
                item.url.split("://", 1)[1].split("/", 1)[0],
                url=item.url,
                model=item.model,
                key_file=_key_of(look, item),
                prompt_micros=prices[0],
                completion_micros=prices[1],
                budget_micros=item.budget.micros if item.budget else None,
                budget_per=item.per,
                first_byte_s=item.after,
            )


def _key_of(look: Look, item: FallbackSpec) -> str:
    """The ref of a secret, or the path of a file; the engine that routes tells them apart by the slash."""
    if item.secret:
        return item.secret.ref(look.want.ref.stack).absolute
    return str(PurePosixPath(look.want.folder, item.key_file)) if item.key_file else ""

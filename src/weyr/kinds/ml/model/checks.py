"""What is unwise or impossible among models, though each of them is right?"""

from collections.abc import Iterator

from weyr.core.checking import Finding, Proposal, shared_names
from weyr.core.diagnostic import Severity
from weyr.core.ref import Ref
from weyr.kinds.ml.model.spec import ModelSpec


def checks(proposal: Proposal) -> Iterator[Finding]:
    """Models that nobody makes, that nobody uses, or whose alias nobody moves."""
    models = {ref: spec for ref, spec in proposal.specs.items() if isinstance(spec, ModelSpec)}
    yield from shared_names({ref: spec.name or f"{ref.stack}-{ref.name}" for ref, spec in models.items()})
    for ref, spec in models.items():
        # A reference with an alias asks for a version; one without gives the model new ones.
        named = proposal.references_to(ref)
        makers = sorted({other for other, reference in named if not reference.at})
        users = sorted({(reference.at, other) for other, reference in named if reference.at})
        if users and not makers and not proposal.outputs.get(ref, {}).get("versions"):
            yield _without_source(ref, users[0][1])
        if makers and not users and not spec.promote_if:
            yield _unused(ref, makers[0])
        for alias in sorted({alias for alias, _user in users}):
            if f"{alias}.version" not in proposal.outputs.get(ref, {}):
                yield from _unmoved(ref, spec, alias)


def _without_source(ref: Ref, user: Ref) -> Finding:
    detail = f"{user} uses {ref}, which has no versions, and no job in this stack adds one."
    return Finding(ref, (), Severity.WARN, "A model without a source", detail, f"produces: {ref}")


def _unused(ref: Ref, maker: Ref) -> Finding:
    detail = f"{maker} adds versions to {ref}; no gate judges them and nothing in this stack serves them."
    return Finding(ref, (), Severity.INFO, "A model that nobody uses", detail, 'promote_if: {accuracy: ">= 0.9"}')


def _unmoved(ref: Ref, spec: ModelSpec, alias: str) -> Iterator[Finding]:
    if spec.promote_if and alias == spec.alias:
        return
    why = f"its gate moves {spec.alias}" if spec.promote_if else "it has no gate"
    detail = f"Nothing in this stack moves {ref}@{alias}: {why}. Until an MLflow client does, nothing can be served."
    yield Finding(ref, ("promote_if",), Severity.INFO, "An alias that nobody moves", detail)

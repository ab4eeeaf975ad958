"""What a file cannot mean is refused in the plan, all at once, at its place."""

from typing import Any

import pytest
from endpoint_farm import DIGITS, endpoint

from weyr.core.checking import Proposal
from weyr.core.diagnostic import Severity
from weyr.kinds.ml.endpoint.checks import checks

AB = {"a": {"model": "digits", "weight": 1}, "b": {"model": "digits@beta", "weight": 0}}
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    # what the file says: (its fields, where it is refused)
    "a model and variants": ({"variants": AB}, [("variants",)]),
    "a model twice": ({"model": None, "models": ["digits", "digits@production"]}, [("models", "1")]),
    "several models in a command": (
        {"model": None, "models": ["digits", "spam"], "run": "serve"}, [("models",)]),
    "variants without weights": (
        {"model": None, "variants": {"a": {"model": "digits", "weight": 0}}}, [("variants",)]),
    "a variant called canary": (
        {"model": None, "variants": {"canary": "digits", "b": "spam"}}, [("variants", "canary")]),
    "a canary among variants": (
        {"model": None, "variants": AB, "rollout": "canary"}, [("rollout", "strategy")]),
    "nothing to stay with": ({"sticky": "caller"}, [("sticky",)]),
    "a header without a name": (
        {"model": None, "variants": AB, "sticky": {"by": "header"}}, [("sticky", "name")]),
    "a rule to nobody": (
        {"model": None, "variants": AB, "rules": [{"to": "c", "caller": ["acme"]}]}, [("rules", "0", "to")]),
    "a rule of everything": ({"model": None, "variants": AB, "rules": [{"to": "b"}]}, [("rules", "0")]),
    "a fallback to itself": ({"fallback": ["digits"]}, [("fallback", "0")]),
    "a fallback to nobody": ({"fallback": [{"model": "x"}]}, [("fallback", "0")]),
    "a fallback's budget without prices": (
        {"fallback": [{"url": "https://x/v1", "model": "m", "budget": "5 USD"}]}, [("fallback", "0", "budget")]),
    "a fallback's secret and file": (
        {"fallback": [{"url": "https://x/v1", "model": "m", "secret": "k", "key_file": "k"}]},
        [("fallback", "0", "key_file")]),
    "a key for an endpoint of the stack": (
        {"fallback": [{"endpoint": "spare", "secret": "k"}]}, [("fallback", "0", "secret")]),
    "steps that do not ascend": (
        {"rollout": {"strategy": "canary", "steps": ["50%", "5%"]}}, [("rollout", "steps")]),
    "steps of a rolling update": ({"rollout": {"steps": ["50%"]}}, [("rollout", "steps")]),
    "a rollout that cannot begin": ({"rollout": {"surge": "0"}}, [("rollout", "surge")]),
    "a session's header without sessions": ({"balance": {"header": "x-session"}}, [("balance",)]),
    "an engine that speaks nothing gRPC could be made of": (
        {"model": None, "engine": "llama.cpp", "weights": "a/b", "grpc": True}, [("grpc",)]),
    "several at once": (
        {"sticky": "caller", "rollout": {"surge": "0", "every": "1m"}},
        [("sticky",), ("rollout", "every"), ("rollout", "surge")]),
    "gRPC of Weyr's own server": ({"grpc": True}, []),
    "nothing": ({}, []),
    "a canary with all its fields": (
        {"rollout": {"strategy": "canary", "steps": ["1%", "10%"], "every": "10m", "min_requests": 50,
                     "abort_if": {"errors": "2%", "latency_p99": "1.5x", "quality": "0.9"}, "keep_old": "5m"},
         "sticky": {"by": "cookie"}, "rules": [{"to": "canary", "header": {"x-beta": "yes"}}]}, []),
}  # fmt: skip


def found(severity: Severity, **fields: Any) -> list[tuple[str, ...]]:
    proposal = Proposal({DIGITS: endpoint(**fields)}, {})
    return [tuple(map(str, f.path)) for f in checks(proposal) if f.severity is severity]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_meant_is_refused(case: str) -> None:
    """Nobody finds out under traffic that a weight or a rule was passed over."""
    fields, expected = CASES[case]

    assert found(Severity.FATAL, **fields) == expected


UNWISE: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "a canary of what may sleep": ({"rollout": "canary", "scale": {"min": 0}}, [("rollout", "strategy")]),
    "a rollout that never goes back": ({"rollout": {"strategy": "canary", "abort_if": {}}}, [("rollout", "abort_if")]),
    "a shadow of itself": ({"shadow": "digits"}, [("shadow", "model")]),
    "nobody answering": ({"rollout": {"unavailable": 1}}, [("rollout", "unavailable")]),
}


@pytest.mark.parametrize("case", UNWISE)
def test_what_is_unwise_is_said(case: str) -> None:
    """The plan goes on, and whoever reads it knows."""
    fields, expected = UNWISE[case]

    assert found(Severity.WARN, **fields) == expected

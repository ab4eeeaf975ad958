"""What do the processes of the inference plane say together? Each counts by itself; here it is added up. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

SUMS = ("inflight", "waiting", "requests", "errors", "retries", "cut")

Stats = Mapping[str, Any]


def merged(answers: Sequence[Stats]) -> dict[str, Any]:
    """The `endpoints` of several answers to GET /stats as one.

    A route is applied once all have applied it, so its generation is the lowest; one that has not heard of it yet has
    applied none.
    """
    if len(answers) == 1:
        return dict(answers[0])
    names = {name for answer in answers for name in answer}
    return {name: _endpoint([answer.get(name) for answer in answers]) for name in names}


def _endpoint(seen: Sequence[Stats | None]) -> dict[str, Any]:
    told = [one for one in seen if one is not None]
    times = [at for one in told if (at := one.get("last_request_at")) is not None]
    whole: dict[str, Any] = {
        **told[0],
        **{key: sum(one.get(key, 0) for one in told) for key in SUMS},
        "generation": min(one.get("generation", 0) if one is not None else 0 for one in seen),
        "last_request_at": max(times, default=None),
        "replicas": _replicas(told),
        "versions": _versions(told),
    }
    return whole


def _replicas(told: Sequence[Stats]) -> dict[str, dict[str, Any]]:
    whole: dict[str, dict[str, Any]] = {}
    for one in told:
        for name, counts in one.get("replicas", {}).items():
            have = whole.setdefault(name, {"inflight": 0, "requests": 0, "out": ""})
            have["inflight"] += counts["inflight"]
            have["requests"] += counts.get("requests", 0)
            have["out"] = have["out"] or counts.get("out", "")
    return whole


def _versions(told: Sequence[Stats]) -> list[dict[str, Any]]:
    whole: dict[str, dict[str, Any]] = {}
    for one in told:
        for counts in one.get("versions", []):
            have = whole.get(counts["name"])
            whole[counts["name"]] = dict(counts) if have is None else _sum(have, counts)
    return list(whole.values())


def _sum(one: Any, other: Any) -> Any:
    """Two counts of the same shape, added number by number; what is no number is the same in both."""
    if isinstance(one, Mapping):
        return {key: _sum(value, other[key]) if key in other else value for key, value in one.items()}
    if isinstance(one, list | tuple):
        return [_sum(a, b) for a, b in zip(one, other, strict=True)] if len(one) == len(other) else one or other
    if isinstance(one, int | float) and not isinstance(one, bool):
        return one + other
    return one

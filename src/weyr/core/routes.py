"""Who answers a route's requests, in which shares, and what was counted of it? The words between the kinds that decide
about traffic and the planes that carry it.

A kind gives a `RouteBody` and looks at `VersionCounts`; a plane does as it is told and counts. A field that a plane
does not know is refused, never passed over: a canary that got no traffic would look like one without errors.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from weyr.core.json_paths import path_of
from weyr.core.route_limits import UNLIMITED, RouteLimits
from weyr.core.watch import Watch, watch_problems

_R20 = (1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0)
"""The preferred numbers R20 of ISO 3: each an eighth more than the one before."""
LATENCY_BUCKETS_S = (
    *(round(figure * decade, 6) for decade in (0.001, 0.01, 0.1, 1.0) for figure in _R20),
    *(10.0, 12.5, 16.0, 20.0, 25.0, 30.0),
)
"""Upper bounds of the latency histograms; one more bucket counts what is above the last. As fine as whoever compares
two versions needs: what is told to Prometheus is coarser, with bounds that are among these."""

WEIGHT_MAX = 1_000_000
_NAME = re.compile(r"[A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class RouteVersion:
    """One version behind a route. `name` is what metrics and reports call it: a version's number or a variant's name,
    "" where there is only the one. `weight` is its share of the sum of all weights; with 0 it is reached by rules and
    shadows alone. `replicas` are pairs of a replica's id and its address, a socket's path or host:port.
    """

    name: str = ""
    model: str = ""
    weight: int = 100
    replicas: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that all of this holds of go to `version`, whatever its weight. The first rule that holds counts.

    `headers` and `cookies` are (name, value) pairs, the value `*` for any; a header's name has no case. `callers` are
    principals' names, each possibly ending in `*`; one of them is enough.
    """

    version: str
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    callers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sticky:
    """Whoever is one by `by` stays with one version: a caller, or the value of the header or the cookie `name`.

    A cookie that a request does not bring is set, for `max_age_s`. A change of weights moves as few as it can. A
    request that does not bring the header goes by weight alone.
    """

    by: Literal["caller", "header", "cookie"]
    name: str = ""
    max_age_s: float = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Shadow:
    """`version` gets a copy of this share of the requests, 0 to 1. Its answers are compared and thrown away.

    Numbers of two JSON answers are alike within `tolerance`, relative to the larger, and so is what stands at the paths
    `ignore`, beside what only names an answer in the protocols that the plane knows. Copies wait in a line of
    `waiting_max`; those that find it full, or whose body is over `body_max` bytes, are dropped and counted.
    """

    version: str
    share: float = 1.0
    tolerance: float = 0.0
    ignore: tuple[str, ...] = ()
    waiting_max: int = 64
    body_max: int = 2**20
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Fallback:
    """Who answers where no version of the route can: `version`, another `route` of the plane, or `url`, a server that
    speaks as OpenAI's does. One of the three is given; the chain is tried in its order.

    `name` is what the answer's header says. For `url`: it is asked for `model` with the key in `key_file`, for which a
    kind gives the secret's ref and the engine that routes puts the file. Its tokens cost `prompt_micros` and
    `completion_micros` per million; after `budget_micros` within a day or a month of UTC, as `budget_per` says, it is
    passed over. `first_byte_s` is how long whoever is before it may be silent.
    """

    name: str
    version: str = ""
    route: str = ""
    url: str = ""
    model: str = ""
    key_file: str = ""
    prompt_micros: int = 0
    completion_micros: int = 0
    budget_micros: int | None = None
    budget_per: Literal["day", "month"] = "month"
    first_byte_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Balance:
    """Which replica of a version: the one with the fewest requests under way (`least`); the one that had the prompt's
    beginning before (`prefix`); or the one that had the session before, told by the header or cookie `name` or, without
    a name, by the body's `user` (`session`). Nobody gets more than `overload` times the mean of what is under way.
    """

    by: Literal["least", "prefix", "session"] = "least"
    header: str = ""
    cookie: str = ""
    overload: float = 1.25
    prefix_bytes: int = 1024


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests find their version and replica. With `is_forcible` a request's header `weyr-version` names its
    version; with `takes_outcomes` the plane itself answers POST /stack/endpoint/feedback."""

    rules: tuple[Rule, ...] = ()
    sticky: Sticky | None = None
    shadows: tuple[Shadow, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    balance: Balance = Balance()
    is_forcible: bool = False
    takes_outcomes: bool = False


@dataclass(frozen=True, slots=True)
class RouteBody:
    """Send `route`'s requests to `versions`; one that no replica can take is held for `hold_s`.

    Where there may be no replica until a request comes, `wakes_as` says what one begins as, Weyr's own model `server`
    or a `program` that is watched over: processes that can become one are kept loaded. "" where some always stand.
    With `grpc` the Open Inference Protocol is answered over gRPC too, by the same rules. A replica works on `slots`
    requests at once, with 0 on all that it has: what more it is sent waits inside it, and is not worked on yet.
    `is_model`: of what replicas are asked, only questions to their models count as answered.
    """

    route: str
    versions: tuple[RouteVersion, ...] = ()
    hold_s: float = 30.0
    traffic: Traffic = Traffic()
    limits: RouteLimits = UNLIMITED
    watch: Watch = field(default_factory=Watch)
    wakes_as: Literal["", "server", "program"] = ""
    grpc: bool = False
    slots: int = 0
    is_model: bool = False
    of: Literal["route"] = "route"

    @property
    def replicas(self) -> tuple[tuple[str, str], ...]:
        """The replicas of all versions."""
        return tuple(pair for version in self.versions for pair in version.replicas)


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What came of a version's copies. `dropped` were never sent, `failed` got no answer; of the `compared` ones
    `differed` had another status or body, and took `longer_s` more than the answer that the caller got, in sum."""

    compared: int = 0
    differed: int = 0
    failed: int = 0
    dropped: int = 0
    longer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """What a plane counted of one version since its own start: who looks twice takes the difference, and begins anew
    where a count went down.

    `requests` were answered by it, `errors` of them with a status of 500 or above, and `predictions` with what was
    asked for; `missed` were its share and went to another version, because no replica of it could take them. `worked`
    reached a replica, whose slots were busy with them for `worked_s` in all: their wait, also inside it, is not
    counted; how many of them took how long is in `work_classes`, as `weyr.core.work_times` has it. `buckets` counts
    latencies by `LATENCY_BUCKETS_S`, not cumulated, and `first_token_buckets` the times to the first token of a stream,
    by the fewer bounds of the metrics. Outcomes are what callers reported: their number, their sum and the sum of
    their squares.
    """

    name: str
    requests: int = 0
    errors: int = 0
    predictions: int = 0
    missed: int = 0
    buckets: tuple[int, ...] = ()
    latency_sum_s: float = 0.0
    latency_squares: float = 0.0
    worked: int = 0
    worked_s: float = 0.0
    work_classes: tuple[int, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token_buckets: tuple[int, ...] = ()
    outcomes: int = 0
    outcome_sum: float = 0.0
    outcome_squares: float = 0.0
    shadow: ShadowCounts = field(default_factory=ShadowCounts)


def problems_of(body: RouteBody) -> tuple[str, ...]:
    """What cannot be meant in a route, in sentences."""
    names = [version.name for version in body.versions]
    odd = [name for name in names if not _NAME.fullmatch(name)]
    traffic = body.traffic
    problems = [f'two versions are called "{name}"' for name in sorted({n for n in names if names.count(n) > 1})]
    problems += [f'"{name}" cannot be a version\'s name; use letters, digits and . _ -' for name in odd]
    problems += [
        f'the weight of version "{version.name}" is {version.weight}, and weights are 0 to {WEIGHT_MAX}'
        for version in body.versions
        if not 0 <= version.weight <= WEIGHT_MAX
    ]
    if body.versions and not any(version.weight for version in body.versions):
        problems.append("no version has a weight above 0, so most requests would have nowhere to go")
    asked = [("a rule", rule.version) for rule in traffic.rules]
    asked += [("a shadow", shadow.version) for shadow in traffic.shadows]
    asked += [("a fallback", fallback.version) for fallback in traffic.fallbacks if fallback.version]
    problems += [f'{who} names version "{name}", which the route has not' for who, name in asked if name not in names]
    for rule in traffic.rules:
        if not (rule.headers or rule.cookies or rule.callers):
            problems.append(f'a rule for version "{rule.version}" holds of everything; give it a weight instead')
    if traffic.sticky and traffic.sticky.by != "caller" and not traffic.sticky.name:
        problems.append(f"sticky by {traffic.sticky.by} needs the name of the {traffic.sticky.by}")
    problems += [
        f"the share of the shadow {shadow.version} is {shadow.share:g}, and shares are 0 to 1"
        for shadow in traffic.shadows
        if not 0 <= shadow.share <= 1
    ]
    problems += [problem for shadow in traffic.shadows for path in shadow.ignore if (problem := _path_problem(path))]
    problems += [
        f"fallback {fallback.name} names {', '.join(given) or 'nobody'}; it needs one of version, route and url"
        for fallback in traffic.fallbacks
        if len(given := [word for word in ("version", "route", "url") if getattr(fallback, word)]) != 1
    ]
    problems += watch_problems(body.watch)
    for fallback in traffic.fallbacks:
        if fallback.budget_micros is not None and not (fallback.prompt_micros or fallback.completion_micros):
            problems.append(f"the budget of fallback {fallback.name} needs a price: what a million tokens cost")
        if fallback.url and not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", fallback.url):
            problems.append(f'"{fallback.url}" is not the address of a server, such as https://api.example.com/v1')
    if traffic.balance.overload < 1:
        problems.append(f"nobody can be kept below {traffic.balance.overload:g} times the mean; overload is at least 1")
    return tuple(problems)


def _path_problem(path: str) -> str:
    try:
        path_of(path)
    except ValueError as e:
        return str(e)
    return ""

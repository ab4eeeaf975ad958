"""What a plane reads is what was written, field for field, and nothing is passed over."""

import json
from dataclasses import replace
from typing import Any

import pytest

from weyr.core.plain import plain_of, value_of
from weyr.core.routes import (
    Balance,
    Fallback,
    RouteBody,
    RouteVersion,
    Rule,
    Shadow,
    ShadowCounts,
    Sticky,
    Traffic,
    VersionCounts,
    problems_of,
)

WHOLE = RouteBody(
    "digits/sorter",
    (RouteVersion("3", "sorter", 95, (("1", "/run/1"), ("2", "10.0.0.1:80"))), RouteVersion("4", "sorter", 5)),
    hold_s=2.5,
    traffic=Traffic(
        rules=(Rule("4", headers=(("x-beta", "*"),), callers=("anna*",)),),
        sticky=Sticky("cookie", "visitor"),
        shadows=(Shadow("4", 0.5),),
        fallbacks=(Fallback("far", url="https://api.example/v1", model="m", prompt_micros=1, budget_micros=5_000_000),),
        balance=Balance("session", header="x-session"),
        is_forcible=True,
    ),
)


def test_a_route_comes_back_as_it_was_written() -> None:
    """The server writes it, another process reads it: a field that got lost would route requests elsewhere."""
    assert value_of(RouteBody, json.loads(json.dumps(plain_of(WHOLE)))) == WHOLE
    counts = (VersionCounts("3", 7, buckets=(1, 2), shadow=ShadowCounts(compared=3)),)
    assert value_of(tuple[VersionCounts, ...], json.loads(json.dumps([plain_of(one) for one in counts]))) == counts


def test_what_has_a_default_may_be_left_out() -> None:
    """An older server's file goes on being read after an update of the plane."""
    assert value_of(RouteBody, {"route": "a/b", "hold_s": 3}) == RouteBody("a/b", hold_s=3.0)


WRONG: dict[str, tuple[Any, str]] = {
    "a field of a newer version": ({"route": "a/b", "magic": 1}, "RouteBody has a field magic that is not known here"),
    "a field that is missing": ({}, "RouteBody lacks its field route"),
    "a text for a number": ({"route": "a/b", "hold_s": "3"}, "hold_s is '3', and float is needed"),
    "a truth for a number": ({"route": "a/b", "hold_s": True}, "hold_s is True, and float is needed"),
    "a text for a list": ({"route": "a/b", "versions": "3"}, "versions is '3', and a list is needed"),
    "a number for fields": ({"route": "a/b", "versions": [3]}, "versions[0] is 3, and the fields of RouteVersion"),
    "a pair of three": (
        {"route": "a/b", "versions": [{"replicas": [["1", "2", "3"]]}]},
        "versions[0].replicas[0] has 3 entries, and 2 are needed",
    ),
    "a word that is none of those": (
        {"route": "a/b", "traffic": {"sticky": {"by": "mood"}}},
        "traffic.sticky.by is 'mood', and 'caller' or 'header' or 'cookie' is needed",
    ),
}


@pytest.mark.parametrize(("plain", "why"), WRONG.values(), ids=WRONG)
def test_what_is_not_understood_is_refused_with_its_place(plain: Any, why: str) -> None:
    """Passing over a field would not do what it asks for, and nobody would learn it."""
    with pytest.raises(ValueError) as refused:
        value_of(RouteBody, plain)
    assert str(refused.value).startswith(why)


def traffic(**given: Any) -> RouteBody:
    return replace(WHOLE, traffic=Traffic(**given))


UNSOUND: dict[str, tuple[RouteBody, str]] = {
    "twice the same name": (replace(WHOLE, versions=(RouteVersion("3"),) * 2, traffic=Traffic()), "are called"),
    "a name for no header": (RouteBody("a/b", (RouteVersion("a b"),)), "use letters, digits"),
    "a negative weight": (RouteBody("a/b", (RouteVersion("3", weight=-1), RouteVersion("4"))), "weights are 0 to"),
    "nobody has weight": (RouteBody("a/b", (RouteVersion("3", weight=0),)), "nowhere to go"),
    "a rule to nobody": (traffic(rules=(Rule("9", callers=("*",)),)), 'a rule names version "9"'),
    "a rule for all": (traffic(rules=(Rule("3"),)), "holds of everything"),
    "a shadow of nobody": (traffic(shadows=(Shadow("9"),)), 'a shadow names version "9"'),
    "a share over one": (traffic(shadows=(Shadow("4", 1.5),)), "shares are 0 to 1"),
    "sticky by what header": (traffic(sticky=Sticky("header")), "needs the name of the header"),
    "a fallback to nobody": (traffic(fallbacks=(Fallback("far"),)), "fallback far names nobody"),
    "a fallback to two": (traffic(fallbacks=(Fallback("far", route="a/c", url="https://x"),)), "names route, url"),
    "an overload below one": (traffic(balance=Balance("prefix", overload=0.5)), "at least 1"),
}


@pytest.mark.parametrize(("body", "why"), UNSOUND.values(), ids=UNSOUND)
def test_a_route_that_cannot_be_meant_says_why(body: RouteBody, why: str) -> None:
    """Refused by the router before it is written: no canary that silently gets nothing."""
    assert why in "; ".join(problems_of(body))


def test_a_sound_route_has_no_problems() -> None:
    """And one without versions is sound: an endpoint that has none yet holds its callers."""
    assert problems_of(WHOLE) == ()
    assert problems_of(RouteBody("a/b")) == ()

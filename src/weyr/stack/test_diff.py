"""Differences between specs: exact, as deep as they go, in the words of the file."""

from typing import Any, Literal

import pytest

from weyr.core.schema import Duration, MoneyAmount, Share, Size, Spec, SpecPart, field, from_plain, to_plain
from weyr.core.units import Money
from weyr.stack.diff import differences
from weyr.stack.fields import shape_of, value_text
from weyr.stack.masking import is_sensitive


class Rule(SpecPart):
    prefix: str = field("")
    after: Duration = field(60.0)


class Limits(SpecPart):
    cpu: float = field(1.0)
    memory: Size | None = field(None)


class ThingSpec(Spec):
    """A spec with a field of every sort."""

    text: str | None = field(None)
    mode: Literal["fast", "safe"] = field("fast")
    every: Duration = field(30.0)
    share: Share = field(0.5)
    price: MoneyAmount | None = field(None)
    env: dict[str, str] = field({})
    alerts: tuple[Share, ...] = field(())
    rules: tuple[Rule, ...] = field(())
    limits: Limits = field(Limits())
    extra: Limits | None = field(None)


SHAPE = shape_of(ThingSpec)


def plain(**fields: object) -> dict[str, object]:
    spec = from_plain(ThingSpec, fields)
    value = to_plain(ThingSpec, spec)
    assert isinstance(value, dict)
    return value


Row = tuple[dict[str, object], dict[str, object], list[tuple[str, str | None, str | None]]]
CHANGES: dict[str, Row] = {
    "nothing": ({"every": "30s"}, {"every": "0.5m"}, []),
    "a duration": ({"every": "7d"}, {"every": "1h30m"}, [("every", "7d", "1h30m")]),
    "durations too near for their short form": ({"every": 12.25}, {"every": 12.3}, [("every", "12.25s", "12.3s")]),
    "a size inside a group": ({}, {"limits": {"memory": "1GiB"}}, [("limits.memory", None, "1GiB")]),
    "sizes too near for their short form": (
        {"limits": {"memory": 2**30}}, {"limits": {"memory": 2**30 + 1}}, [("limits.memory", "1GiB", "1073741825")]),
    "a share": ({"share": "5%"}, {"share": "12.5%"}, [("share", "5%", "12.5%")]),
    "money": ({"price": "1 USD"}, {"price": "1.50 USD"}, [("price", "1 USD", "1.5 USD")]),
    "a closed set": ({}, {"mode": "safe"}, [("mode", "fast", "safe")]),
    "a switch": ({}, {"protect": True}, [("protect", "false", "true")]),
    "a text that is taken away": ({"text": "x"}, {}, [("text", "x", None)]),
    "a text that would not be seen": ({"text": "x"}, {"text": " x\n"}, [("text", "x", "' x\\n'")]),
    "keys of a mapping": (
        {"env": {"A": "1", "B": "2"}}, {"env": {"B": "3", "C": "4"}},
        [("env.A", "1", None), ("env.B", "2", "3"), ("env.C", None, "4")]),
    "a list of values as a whole": ({"alerts": ["5%"]}, {"alerts": ["5%", "80%"]}, [("alerts", "[5%]", "[5%, 80%]")]),
    "a list of groups entry by entry": (
        {"rules": [{"prefix": "a"}, {"prefix": "b"}]}, {"rules": [{"prefix": "a", "after": "2m"}]},
        [("rules[0].after", "1m", "2m"), ("rules[1].prefix", "b", None), ("rules[1].after", "1m", None)]),
    "a list of groups that begins": (
        {}, {"rules": [{"prefix": "a"}]}, [("rules[0].prefix", None, "a"), ("rules[0].after", None, "1m")]),
    "a group that comes": ({}, {"extra": {"cpu": 2}}, [("extra.cpu", None, "2")]),
    "a group that goes": ({"extra": {"cpu": 2}}, {}, [("extra.cpu", "2", None)]),
    "a secret": ({"env": {"API_KEY": "a"}}, {"env": {"API_KEY": "b"}}, [("env.API_KEY", "(hidden)", "(hidden)")]),
    "a secret that comes": ({}, {"env": {"PASSWORD": "b"}}, [("env.PASSWORD", None, "(hidden)")]),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_is_told_field_by_field(case: str) -> None:
    """The reader compares two values, not two files."""
    old, new, expected = CHANGES[case]

    found = differences(SHAPE, plain(**old), plain(**new))

    assert [(change.path, change.old, change.new) for change in found] == expected


def test_a_new_object_shows_only_what_is_not_the_default() -> None:
    """Thirty lines of defaults would hide the three that somebody wrote."""
    new = plain(every="30s", mode="safe", rules=[{"prefix": "a"}], extra={"memory": "1MiB"}, env={}, alerts=["1%"])

    found = differences(SHAPE, None, new)

    assert [(change.path, change.new) for change in found] == [
        ("mode", "safe"), ("alerts", "[1%]"), ("rules[0].prefix", "a"), ("extra.memory", "1MiB"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("replaces", "path", "is_replacing"),
    [
        ("text", "text", True),
        ("rules", "rules[0].after", True),
        ("limits", "limits.cpu", True),
        ("limi", "limits.cpu", False),
    ],
)
def test_what_lies_inside_a_replacing_field_replaces(replaces: str, path: str, is_replacing: bool) -> None:
    """A descriptor names the field; what changes may be deep in it."""
    old = plain(text="a", rules=[{"after": "1s"}], limits={"cpu": 1})
    new = plain(text="b", rules=[{"after": "2s"}], limits={"cpu": 2})

    changes = {change.path: change.is_replacing for change in differences(SHAPE, old, new, frozenset({replaces}))}

    assert changes[path] is is_replacing


def test_values_without_a_shape_are_shown_plainly() -> None:
    """A spec from an older Weyr may have fields that today's kind does not know."""
    assert value_text(None, {"a": [1, 2.5, None, True], "b": {"c": "d"}}) == "{a: [1, 2.5, none, true], b: {c: d}}"
    assert value_text(None, "") == "''"
    assert value_text(None, Money(2_500_000, "EUR")) == "2.50 EUR"


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(2**30, "1GiB"), (1088 * 2**20, "1140850688"), (1536 * 2**20, "1.5GiB")]
)
def test_a_size_is_shown_rounded_only_where_that_is_exact(size_bytes: int, text: str) -> None:
    """A plan that makes 1GiB into 1088MiB is shown, though 1.1GiB is no whole number of bytes."""
    assert value_text(SHAPE.at(("limits", "memory")), size_bytes) == text


class AnythingSpec(Spec):
    anything: Any = field(None)
    number: int | None = field(None)


def test_a_field_that_takes_anything_is_no_trouble() -> None:
    """Neither to say what to write there, nor to compare a group with nothing."""
    shape = shape_of(AnythingSpec)
    inside = shape.child("anything")

    assert inside is not None
    assert (inside.words(), inside.takes("number"), inside.bounds(), inside.example) == ("a value", True, (), "")
    assert [c.new for c in differences(shape, None, {"anything": {}, "number": None})] == ["{}"]
    assert shape.at(("number", 0, "x")) is None
    assert differences(shape, None, {}) == ()


SENSITIVE = {
    "env.API_KEY": True, "env.api-key": True, "env.PASSWORD": True, "env.DB_PASSWD": True, "env.HF_TOKEN": True,
    "env.AWS_SECRET_ACCESS_KEY": True, "webhook": True, "env.SENTRY_DSN": True, "env.MY_KEY": True,
    "env.TOKENIZER": False, "env.MODE": False, "run": False, "env.KEYBOARD": False, "checkpoint.bucket": False,
    "secrets.API_KEY": False, "secret_files.TOKEN": False, "env.MONKEY": False,
}  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), SENSITIVE.items())
def test_what_is_named_like_a_secret_is_hidden(path: str, expected: bool) -> None:
    """Wrongly hiding a value costs a question; wrongly showing one costs a key."""
    assert is_sensitive(tuple(path.split("."))) is expected

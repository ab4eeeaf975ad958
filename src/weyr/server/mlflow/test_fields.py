"""A request's fields: what the protocol's JSON allows, and what each kind of nonsense is answered with."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.server.mlflow.fields import Fields, fields_of_body, shown_number
from weyr.tracking.entities import RunStatus
from weyr.tracking.errors import TrackingError

STATUSES = (RunStatus.RUNNING, RunStatus.SCHEDULED, RunStatus.FINISHED)

READ: dict[str, tuple[Callable[[Fields], Any], Any, Any]] = {
    "a text": (lambda f: f.text("x"), "a", "a"),
    "no text": (lambda f: f.text("x", "d"), None, "d"),
    "an integer": (lambda f: f.integer("x", 0), 5, 5),
    "an integer as text": (lambda f: f.integer("x", 0), "5", 5),
    "an integer as a double": (lambda f: f.integer("x", 0), 5.0, 5),
    "no integer": (lambda f: f.integer("x", 7), None, 7),
    "a double": (lambda f: f.number("x"), 1.5, 1.5),
    "infinity by name": (lambda f: f.number("x"), "-Infinity", -math.inf),
    "a truth as text": (lambda f: f.flag("x"), "TRUE", True),
    "no truth": (lambda f: f.flag("x"), None, False),
    "an enum by name": (lambda f: f.member("x", STATUSES), "FINISHED", RunStatus.FINISHED),
    "an enum by number": (lambda f: f.member("x", STATUSES), 3, RunStatus.FINISHED),
    "no list": (lambda f: f.texts("x"), None, []),
}

REFUSED: dict[str, tuple[Callable[[Fields], Any], Any, str]] = {
    "a number for a text": (lambda f: f.text("x"), 31, "Invalid value 31 for parameter 'x' supplied"),
    "an absent text": (lambda f: f.required("x"), None, "Missing value for required parameter 'x'"),
    "an empty text": (lambda f: f.required("x"), "", "Missing value for required parameter 'x'"),
    "a word for an integer": (lambda f: f.integer("x", 0), "foo", 'Invalid value "foo" for parameter'),
    "a fraction for an integer": (lambda f: f.integer("x", 0), 1.5, "Invalid value 1.5"),
    "nan for an integer": (lambda f: f.integer("x", 0), math.nan, "Invalid value NaN"),
    "infinity for an integer": (lambda f: f.integer("x", 0), math.inf, "Invalid value Infinity"),
    "a truth for an integer": (lambda f: f.integer("x", 0), True, "Invalid value true"),
    "past the bound": (lambda f: f.integer("x", 0, most=9), 10, "Invalid value 10"),
    "a list for a double": (lambda f: f.number("x"), [], "Invalid value [] for parameter"),
    "a text for a list": (lambda f: f.texts("x"), "5", 'Invalid value "5" for parameter'),
    "a list of numbers for texts": (lambda f: f.texts("x"), [1], "Invalid value [1]"),
    "a list of texts for objects": (lambda f: f.objects("x"), ["a"], "Invalid value"),
    "an object that lacks a field": (lambda f: f.objects("x", ("k",)), [{"v": 1}], 'Invalid value [{"v":1}]'),
    "an unknown member": (lambda f: f.member("x", STATUSES), "LOST", "Invalid value"),
    "a member of no number": (lambda f: f.member("x", STATUSES), 0, "Invalid value 0"),
    "a very long value": (lambda f: f.integer("x", 0), "9" * 9999, "..."),
}


@pytest.mark.parametrize("name", READ)
def test_what_the_protocol_allows_is_read(name: str) -> None:
    """Clients in other languages write the same number in other ways."""
    read, value, expected = READ[name]
    assert read(Fields({"x": value})) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused_by_its_name(name: str) -> None:
    """The message names the field and shows the value, in MLflow's words, and never at great length."""
    read, value, message = REFUSED[name]
    with pytest.raises(TrackingError) as refused:
        read(Fields({"x": value}))
    assert message in refused.value.message
    assert len(refused.value.message) < 1000


@given(st.binary(max_size=50))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    """Whatever comes over the wire, the answer is fields or a refusal."""
    try:
        fields_of_body(body)
    except TrackingError:
        return


@given(st.floats())
def test_a_double_comes_back_as_it_went(value: float) -> None:
    """NaN and infinities have names in JSON, and keep them."""
    back = Fields({"x": shown_number(value)}).number("x")
    assert back == value or (math.isnan(back) and math.isnan(value))

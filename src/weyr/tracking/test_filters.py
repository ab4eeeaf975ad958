"""MLflow's filter language, read into plain values; what cannot be read is refused with the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.tracking.errors import TrackingError
from weyr.tracking.filters import Comparison, Entity, OrderBy, parse_filter, parse_order

READ: dict[str, tuple[Comparison, ...]] = {
    "": (),
    "   ": (),
    "metrics.loss<0.5": (Comparison(Entity.METRIC, "loss", "<", 0.5),),
    "metric.loss >= -1e-3": (Comparison(Entity.METRIC, "loss", ">=", -1e-3),),
    "metrics.`val loss` = 3": (Comparison(Entity.METRIC, "val loss", "=", 3),),
    'metrics."val loss" = 3': (Comparison(Entity.METRIC, "val loss", "=", 3),),
    "metrics.val/loss != .5": (Comparison(Entity.METRIC, "val/loss", "!=", 0.5),),
    "params.a = '1' and tags.b LIKE '%x'": (
        Comparison(Entity.PARAM, "a", "=", "1"),
        Comparison(Entity.TAG, "b", "LIKE", "%x"),
    ),
    "tags.mlflow.source.name ilike 'train%'": (Comparison(Entity.TAG, "mlflow.source.name", "ILIKE", "train%"),),
    'params.a = "it\'s"': (Comparison(Entity.PARAM, "a", "=", "it's"),),
    "params.a = 'it''s'": (Comparison(Entity.PARAM, "a", "=", "it's"),),
    "run_id IN ('a', 'b')": (Comparison(Entity.ATTRIBUTE, "run_id", "IN", ("a", "b")),),
    "attributes.run_id not in ('a')": (Comparison(Entity.ATTRIBUTE, "run_id", "NOT IN", ("a",)),),
    "`run name` = 'x'": (Comparison(Entity.ATTRIBUTE, "run name", "=", "x"),),
    "start_time > 12": (Comparison(Entity.ATTRIBUTE, "start_time", ">", 12),),
    "tags.a IS NULL AND params.b is not null": (
        Comparison(Entity.TAG, "a", "IS NULL", ""),
        Comparison(Entity.PARAM, "b", "IS NOT NULL", ""),
    ),
    "params.a = 'x AND y'": (Comparison(Entity.PARAM, "a", "=", "x AND y"),),
    "dataset.name <> 'x'": (Comparison(Entity.DATASET, "name", "!=", "x"),),
}

REFUSED = (
    "metrics.loss",
    "metrics.loss <",
    "metrics.loss < 'x'",
    "metrics.loss < nan",
    "params.a = 1",
    "params.a = b",
    "params.a = 'x",
    "params.a = 'x' params.b = 'y'",
    "params.a = 'x' OR params.b = 'y'",
    "params.a = 'x' AND",
    "params.a == 'x'",
    "nothing.a = 'x'",
    "run_id IN ()",
    "run_id IN ('a'",
    "run_id IN ('a' 'b')",
    "run_id IN (1)",
    "tags.a IS 'x'",
    "NOT params.a = 'x'",
    "'a' = 'b'",
    "params.a = 'x'; drop table runs",
    "params.a = 'x' -- and so on",
)


@pytest.mark.parametrize("text", READ)
def test_a_filter_is_read(text: str) -> None:
    """Each form that MLflow documents, and the spellings that its users have."""
    assert parse_filter(text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_filter_is_refused(text: str) -> None:
    """A filter that is half understood would find the wrong runs."""
    with pytest.raises(TrackingError):
        parse_filter(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever comes over the wire, the answer is a filter or a refusal."""
    try:
        parse_filter(text)
    except TrackingError:
        return


@given(st.text(st.characters(codec="utf-8", exclude_characters="'`\""), min_size=1, max_size=40))
def test_a_quoted_text_is_only_a_value(text: str) -> None:
    """Nothing in a value is ever read as an operator or a key."""
    assert parse_filter(f"params.a = '{text}'") == (Comparison(Entity.PARAM, "a", "=", text),)


ORDERS = {
    "metrics.loss": OrderBy(Entity.METRIC, "loss", True),
    "metrics.`a b` DESC": OrderBy(Entity.METRIC, "a b", False),
    "start_time asc": OrderBy(Entity.ATTRIBUTE, "start_time", True),
    "tags.x.y  desc ": OrderBy(Entity.TAG, "x.y", False),
}


@pytest.mark.parametrize("text", ORDERS)
def test_an_order_is_read(text: str) -> None:
    """One field, and a direction if it is not upwards."""
    assert parse_order(text) == ORDERS[text]


@pytest.mark.parametrize("text", ["", "desc desc desc", "a b", "metrics.loss SIDEWAYS", "1"])
def test_what_is_no_order_is_refused(text: str) -> None:
    """Sorting by something else than was asked for would mislead."""
    with pytest.raises(TrackingError):
        parse_order(text)

"""Variants of a file: a field by its whole path or by its short one, and which variants nothing beats."""

import pytest
import yaml

from weyr.compose.kinds import KINDS
from weyr.core.diagnostic import UserError
from weyr.stack.vary import pareto, read_vary, variants

TEXT = "stack: demo\nendpoints:\n  a: {run: x, scale: {max: 2}}\n  b:\n    run: x\nservices:\n  c: {run: x}\n"


def test_a_short_path_is_every_object_that_has_it() -> None:
    """`scale.max` is written once, and holds for all that scale."""
    first, *_, last = (yaml.safe_load(each.text) for each in variants(TEXT, read_vary(["scale.max=2..8"]), KINDS))
    assert first["endpoints"]["b"]["scale"]["max"] == first["services"]["c"]["scale"]["max"] == 2
    assert last["endpoints"]["a"]["scale"]["max"] == 8


def test_a_whole_path_is_one_object_and_two_fields_are_every_pair() -> None:
    """The others stay as the file has them."""
    found = list(variants(TEXT, read_vary(["endpoints.a.scale.max=1,4", "services.c.resources.cpu=1..5..2"]), KINDS))
    assert len(found) == 6
    tree = yaml.safe_load(found[-1].text)
    assert (tree["endpoints"]["a"]["scale"]["max"], tree["services"]["c"]["resources"]["cpu"]) == (4, 5)
    assert "scale" not in tree["endpoints"]["b"]


def test_what_cannot_be_varied_is_told() -> None:
    """With what was probably meant."""
    with pytest.raises(UserError, match="Did you mean"):
        list(variants(TEXT, read_vary(["endpoints.aa.scale.max=1"]), KINDS))
    with pytest.raises(UserError, match="not there"):
        list(variants(TEXT, read_vary(["scael.max=1..2"]), KINDS))
    with pytest.raises(UserError, match="Too many variants"):
        read_vary(["scale.max=1..200"])
    with pytest.raises(UserError, match="cannot be varied"):
        read_vary(["scale.max"])


def test_nothing_beats_what_is_best_in_one_of_the_two() -> None:
    """Cost is to be low, and how good it is high; of two alike neither beats the other."""
    assert pareto([(1.0, 0.5), (2.0, 0.9), (3.0, 0.8), (2.0, 0.9)]) == [True, True, False, True]

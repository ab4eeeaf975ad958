"""Attempts, replicas and indices are told apart by their names, wherever these are read."""

import pytest

from weyr.core.parts import Part, chosen, none_chosen
from weyr.core.ref import Ref, ThingId

TRAIN = Ref("digits", "job", "train")
NAMES = ("odd", "5", "1.0", "1.1", "2.0", "2.1", "0:9", "0:10.0", "0:10.1", "3:1", "2.0")
IDS = [ThingId(TRAIN, part) for part in NAMES]


@pytest.mark.parametrize("text", ["3", "3.1", "7:3", "7:3.1"])
def test_a_name_is_read_as_it_was_written(text: str) -> None:
    """A log that is asked for by name must be that attempt's."""
    assert str(Part.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a", "1.2.3", ":3", "3.", "1:2:3", "-1"])
def test_other_names_are_nobodys(text: str) -> None:
    """Replicas of endpoints have names of their own."""
    assert Part.parse(text) is None


CHOICES: dict[str, tuple[dict[str, int], list[str]]] = {
    "the newest of each index": ({}, ["2.0", "2.1", "0:10.0", "0:10.1", "3:1"]),
    "one replica": ({"index": 0, "rank": 1}, ["0:10.1"]),
    "an attempt before": ({"index": 0, "attempt": 9}, ["0:9"]),
    "one that never was": ({"attempt": 77}, []),
}


@pytest.mark.parametrize("case", CHOICES)
def test_what_is_asked_for_is_found(case: str) -> None:
    """The last is the newest, also where its number is smaller: an object that was made anew counts from one again."""
    asked, parts = CHOICES[case]
    assert [id.part for id in chosen(IDS, **asked)] == parts


def test_what_there_is_not_is_told_beside_what_there_is() -> None:
    """Who asks for replica 7 of a gang of two is told that there are two, and not that the attempt is missing."""
    gang = [ThingId(TRAIN, part) for part in ("1.0", "1.1")]

    assert none_chosen(gang, rank=7) == "has no replica 7; there is 0 to 1"
    assert none_chosen(gang, attempt=3, rank=7) == "has no attempt 3; there is only 1"
    assert none_chosen(gang, index=0) == "has no index 0; there is none"
    assert none_chosen([]) == "has not run yet"

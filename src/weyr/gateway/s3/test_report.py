"""A report is right about money before anybody adds a rule because of it."""

import pytest

from weyr.gateway.s3.report.filling import DAY_S, LARGEST_MAX, Filling
from weyr.gateway.s3.report.rules import WishedRule, rule_of
from weyr.gateway.s3.report.saving import Savings, usual_rules

NOW_MS = 1_800_000_000_000
LOCKED = f'{{"lock_mode":"COMPLIANCE","lock_until_ms":{NOW_MS + 1000}}}'


def days_ago(days: float) -> int:
    return NOW_MS - int(days * DAY_S * 1000)


def test_a_rule_is_read_as_it_is_written() -> None:
    """What is printed can be typed again, and stands in the stack file under the same words."""
    for text in (
        "prefix=checkpoints/ expire_after=7d",
        "noncurrent_expire_after=30d",
        "prefix='with space/' tag=stage=tmp expire_after=12h",
        "prefix=a/ expire_after=1d noncurrent_expire_after=2d abort_uploads_after=3d",
    ):
        assert str(rule_of(text)) == text


WRONG = {
    "nothing ends": ("prefix=a/", "ends nothing"),
    "a word that is none": ("prefx=a/ expire_after=7d", "prefix"),
    "no age": ("expire_after", "expire_after=7d"),
    "an age of nothing": ("expire_after=0s", "longer than nothing"),
    "an age that is none": ("expire_after=soon", "soon"),
    "tags of old versions": ("tag=a=b noncurrent_expire_after=7d", "current objects"),
    "a tag without a value": ("tag=a expire_after=7d", "tag=NAME=VALUE"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_rule_is_said(case: str) -> None:
    """A rule that was misread would promise a saving that never comes."""
    text, reason = WRONG[case]
    with pytest.raises(ValueError, match=reason):
        rule_of(text)


def test_what_two_rules_would_end_counts_once() -> None:
    """The savings of a list of rules can be added up."""
    savings = Savings([rule_of("prefix=tmp/ expire_after=7d"), rule_of("expire_after=30d")], False, NOW_MS)
    for key, age in (("tmp/a", 40), ("tmp/b", 8), ("tmp/c", 6), ("x/a", 40), ("x/b", 20)):
        savings.object(key, 100, days_ago(age), "")

    assert [(each.objects.count, each.freed_bytes) for each in savings.each] == [(2, 200), (1, 100)]


def test_what_expires_where_versions_are_kept_saves_nothing_yet() -> None:
    """It becomes an old version and costs as before; only a rule for those frees anything."""
    savings = Savings([rule_of("expire_after=7d noncurrent_expire_after=30d")], True, NOW_MS)
    savings.object("a", 100, days_ago(8), "")
    savings.version("b", 10, days_ago(31), "")
    savings.version("b", 10, days_ago(29), "")

    (each,) = savings.each
    assert (each.objects.count, each.kept.size_bytes, each.versions.count, each.freed_bytes) == (0, 100, 1, 10)


def test_what_is_locked_and_what_has_other_tags_stays() -> None:
    """The sweeper would leave it, so the report does not promise it."""
    savings = Savings([rule_of("tag=stage=tmp expire_after=1d"), rule_of("noncurrent_expire_after=1d")], False, NOW_MS)
    savings.object("a", 1, days_ago(2), '{"tags":{"stage":"tmp"}}')
    savings.object("b", 1, days_ago(2), '{"tags":{"stage":"prod"}}')
    savings.version("c", 1, days_ago(2), LOCKED)
    savings.version("d", 1, days_ago(2), '{"hold":"ON"}')
    savings.version("e", 1, days_ago(2), '{"lock_mode":"COMPLIANCE","lock_until_ms":1}')

    tagged, old = savings.each
    assert (tagged.objects.count, old.versions.count, old.locked) == (1, 1, 2)


def test_what_fills_a_bucket_is_told_by_folder_age_size_and_twins() -> None:
    """In bounded memory: the largest few, and folders to the depth that was asked for."""
    filling = Filling(depth=2)
    for number in range(LARGEST_MAX + 5):
        filling.object(f"a/b/{number}", number * 2**20, f"{number:032x}", age_s=number * DAY_S)
    filling.object("a/b/again", 7 * 2**20, f"{7:032x}", age_s=0)
    filling.object("top", 1, "e" * 32, age_s=400 * DAY_S)
    filling.version("a/old", 5)
    filling.upload("c/d/e/f", 3)

    assert (filling.twins.count, filling.twins.size_bytes) == (1, 7 * 2**20)
    assert {name: part.count for name, part in filling.by_prefix.items()} == {"a/b/": 16, "": 1, "a/": 1, "c/d/": 1}
    assert {name: part.count for name, part in filling.by_age.items()} == {"1d": 2, "7d": 6, "30d": 8, "more": 1}
    assert sorted(filling.largest)[0][0] == 6 * 2**20
    assert len(filling.largest) == LARGEST_MAX


def test_only_names_that_promise_nothing_are_suggested() -> None:
    """Nobody is told to delete a data set because it is old."""
    assert usual_rules(["checkpoints", "data"]) == [
        WishedRule("checkpoints/", expire_after=30 * DAY_S),
        WishedRule(noncurrent_expire_after=30 * DAY_S),
        WishedRule(abort_uploads_after=7 * DAY_S),
    ]

"""What a lifecycle document is read as, and what is refused."""

import pytest

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.lifecycle_rules import (
    DAY_MS,
    MOVED_MIN_BYTES,
    Filter,
    LifecycleRule,
    Transition,
    checked_text,
    cutoff_ms,
    kept_rules,
)
from weyr.gateway.s3.xml import parsed

EXPIRE = "<Expiration><Days>1</Days></Expiration>"
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


def kept(*rules: str) -> tuple[LifecycleRule, ...]:
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    text = f"<LifecycleConfiguration>{inner}</LifecycleConfiguration>"
    return kept_rules(checked_text(parsed(text.encode(), "LifecycleConfiguration"), ("COLD", "ICE")))


def rule(filters: str = "<Prefix>a/</Prefix>", action: str = EXPIRE, status: str = "Enabled") -> str:
    return f"<ID>r</ID><Status>{status}</Status>{filters}{action}"


def test_both_forms_of_a_document_are_read_alike() -> None:
    """The prefix stands in the rule itself in the first form, in its filter in the second."""
    (first,), (second,) = kept(rule()), kept(rule("<Filter><Prefix>a/</Prefix></Filter>"))
    assert first == second == LifecycleRule("r", Filter("a/"), expire_days=1)


def test_a_prefix_keeps_its_spaces() -> None:
    """A prefix that lost them would delete what it was not meant to."""
    (found,) = kept(rule("<Filter><Prefix> a </Prefix></Filter>"))
    assert found.filter.prefix == " a "


def test_a_rule_without_an_id_is_given_one() -> None:
    first, second = kept(rule().replace("<ID>r</ID>", ""), rule().replace("<ID>r</ID>", ""))
    assert len({first.id, second.id, ""}) == 3


def test_all_of_a_filter_must_hold() -> None:
    """Whatever stands beside an And narrows it: the rule never takes more than its author meant."""
    tag = "<Tag><Key>{}</Key><Value>1</Value></Tag>"
    parts = f"<Prefix>a</Prefix>{tag.format('x')}<And><Prefix>a/b</Prefix>{tag.format('y')}</And>"
    (found,) = kept(rule(f"<Filter>{parts}<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></Filter>"))
    assert found.filter.matches("a/b", 11, {"x": "1", "y": "1", "z": "1"})
    for key, size, tags in (("a/c", 11, {"x": "1", "y": "1"}), ("a/b", 10, {"x": "1", "y": "1"}), ("a/b", 11, {})):
        assert not found.filter.matches(key, size, tags)


def test_a_day_ends_at_midnight_unless_it_was_made_shorter() -> None:
    """Written at noon, a rule of one day ends it at the second midnight after, as S3 says."""
    is_due = [cutoff_ms(1, now_ms, 86_400) > NOON_MS for now_ms in (NOON_MS + DAY_MS, NOON_MS + DAY_MS * 3 // 2)]
    assert is_due == [False, True]
    is_due = [cutoff_ms(1, now_ms, 2) > NOON_MS for now_ms in (NOON_MS + 1999, NOON_MS + 2000)]
    assert is_due == [False, True]


def test_a_rule_moves_to_several_tiers_in_turn() -> None:
    """First to one, later to the next; versions that were replaced by a clock of their own."""
    (found,) = kept(
        rule(
            action="<Transition><Days>0</Days><StorageClass>COLD</StorageClass></Transition>"
            "<Transition><Date>2030-01-01T00:00:00Z</Date><StorageClass>ICE</StorageClass></Transition>"
            "<NoncurrentVersionTransition><NoncurrentDays>3</NoncurrentDays>"
            "<NewerNoncurrentVersions>2</NewerNoncurrentVersions><StorageClass>COLD</StorageClass>"
            "</NoncurrentVersionTransition>"
        )
    )
    at_ms = 21_915 * DAY_MS
    assert found.transitions == (Transition("COLD", 0), Transition("ICE", at_ms=at_ms))
    assert found.noncurrent_transitions == (Transition("COLD", 3, newer_kept=2),)
    assert [found.transitions[1].cutoff_ms(now_ms, 86_400) for now_ms in (at_ms - 1, at_ms)] == [None, at_ms + 1]


def test_small_objects_stay_unless_the_rule_speaks_of_sizes() -> None:
    """To keep a thousand small objects in a cloud costs more than it saves: S3 leaves them, and so does this."""
    move = "<Transition><Days>1</Days><StorageClass>COLD</StorageClass></Transition>"
    sized = "<Filter><And><Prefix>a/</Prefix><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan></And></Filter>"
    (plain,), (any_size,) = kept(rule(action=move)), kept(rule(sized, move))

    assert [plain.moves("a/b", size, {}) for size in (MOVED_MIN_BYTES - 1, MOVED_MIN_BYTES)] == [False, True]
    assert [any_size.moves("a/b", size, {}) for size in (9, 10)] == [False, True]


MANY_TAGS = "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
REFUSED = {
    "no rule": ((), "MalformedXML"),
    "two of one id": ((rule(), rule()), "InvalidArgument"),
    "a long id": ((rule().replace(">r<", f">{'r' * 256}<"),), "InvalidArgument"),
    "a status in small letters": ((rule(status="enabled"),), "MalformedXML"),
    "neither prefix nor filter": ((rule(""),), "MalformedXML"),
    "both prefix and filter": ((rule("<Prefix/><Filter/>"),), "MalformedXML"),
    "no action": ((rule(action=""),), "InvalidRequest"),
    "an unknown element": ((rule(action=f"{EXPIRE}<Then/>"),), "MalformedXML"),
    "an unknown filter": ((rule("<Filter><Suffix>x</Suffix></Filter>"),), "MalformedXML"),
    "no days": ((rule(action="<Expiration><Days>0</Days></Expiration>"),), "InvalidArgument"),
    "days and a date": (
        (rule(action="<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"),),
        "MalformedXML",
    ),
    "a date at noon": ((rule(action="<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>"),), "InvalidArgument"),
    "markers by tag": (
        (rule(MANY_TAGS, "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),),
        "InvalidRequest",
    ),
    "uploads by tag": (
        (
            rule(
                MANY_TAGS,
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
                "</AbortIncompleteMultipartUpload>",
            ),
        ),
        "InvalidRequest",
    ),
    "a move after days and at a date": (
        (
            rule(
                action="<Transition><Days>1</Days><Date>2030-01-01T00:00:00Z</Date><StorageClass>COLD</StorageClass>"
                "</Transition>"
            ),
        ),
        "MalformedXML",
    ),
    "a move to nowhere": ((rule(action="<Transition><Days>1</Days></Transition>"),), "InvalidStorageClass"),
    "a move at noon": (
        (rule(action="<Transition><Date>2030-01-01T12:00:00Z</Date><StorageClass>COLD</StorageClass></Transition>"),),
        "InvalidArgument",
    ),
    "a move of versions without days": (
        (rule(action="<NoncurrentVersionTransition><StorageClass>COLD</StorageClass></NoncurrentVersionTransition>"),),
        "MalformedXML",
    ),
    "a move to a class that is no tier": (
        (rule(action="<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),),
        "InvalidStorageClass",
    ),
    "prefixes that exclude one another": (
        (rule("<Filter><Prefix>a</Prefix><And><Prefix>b</Prefix></And></Filter>"),),
        "InvalidRequest",
    ),
    "more versions than can be kept": (
        (
            rule(
                action="<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                "<NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
            ),
        ),
        "InvalidArgument",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_kept_to_is_refused(case: str) -> None:
    rules, code = REFUSED[case]
    with pytest.raises(S3Error) as refused:
        kept(*rules)
    assert refused.value.code == code

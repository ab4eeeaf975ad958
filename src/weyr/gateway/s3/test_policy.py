"""What a bucket policy says of a request, statement by statement, and what is refused when it is put."""

import json
from typing import Any

import pytest

from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.policy import Word, checked_policy, names_of, policy_of
from weyr.gateway.s3.policy_conditions import Context

BOB = names_of("bob", "bob", is_root=True)
LOCAL: Context = {"aws:sourceip": ("10.1.2.3",), "aws:securetransport": ("false",), "aws:username": ("bob",)}


def policy(*statements: dict[str, Any]) -> str:
    defaults = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [defaults | statement for statement in statements]})


def when(operator: str, key: str, value: object) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


GETS_A = ("s3:GetObject", "lake/a")
CASES: dict[str, tuple[dict[str, Any], Context, Word]] = {
    "everybody is everybody": ({}, LOCAL, Word.ALLOW),
    "a user by its ARN": ({"Principal": {"AWS": "arn:aws:iam:::user/bob"}}, LOCAL, Word.ALLOW),
    "a user by its account": ({"Principal": {"AWS": ["arn:aws:iam::bob:root"]}}, LOCAL, Word.ALLOW),
    "a user by its canonical id": ({"Principal": {"CanonicalUser": "bob"}}, LOCAL, Word.ALLOW),
    "somebody else": ({"Principal": {"AWS": "arn:aws:iam:::user/bobby"}}, LOCAL, Word.NOTHING),
    "everybody but him": (
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam:::user/bob"}}, LOCAL, Word.NOTHING,
    ),
    "everybody but another": (
        {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": "arn:aws:iam:::user/eve"}}, LOCAL, Word.DENY,
    ),
    "an action by a wildcard, in any case": ({"Action": "S3:get*"}, LOCAL, Word.ALLOW),
    "another action": ({"Action": "s3:PutObject"}, LOCAL, Word.NOTHING),
    "all actions but one": ({"Action": None, "NotAction": "s3:DeleteObject"}, LOCAL, Word.ALLOW),
    "another key": ({"Resource": "arn:aws:s3:::lake/b*"}, LOCAL, Word.NOTHING),
    "the bucket is not its keys": ({"Resource": "arn:aws:s3:::lake"}, LOCAL, Word.NOTHING),
    "the caller's own key": ({"Resource": "arn:aws:s3:::lake/${aws:username}"}, {"aws:username": ("a",)}, Word.ALLOW),
    "from inside": (when("IpAddress", "aws:SourceIp", "10.0.0.0/8"), LOCAL, Word.ALLOW),
    "from outside": (when("IpAddress", "aws:SourceIp", ["192.168.0.0/16", "::1"]), LOCAL, Word.NOTHING),
    "not from there": (when("NotIpAddress", "aws:SourceIp", "192.168.0.0/16"), LOCAL, Word.ALLOW),
    "no transport that is secure": (when("Bool", "aws:SecureTransport", False), LOCAL, Word.ALLOW),
    "a key that is missing fails": (when("StringEquals", "aws:Referer", "x"), LOCAL, Word.NOTHING),
    "unless it may be missing": (when("StringEqualsIfExists", "aws:Referer", "x"), LOCAL, Word.ALLOW),
    "or unless it is negated": (when("StringNotEquals", "aws:Referer", "x"), LOCAL, Word.ALLOW),
    "a key must be missing": (when("Null", "aws:Referer", "true"), LOCAL, Word.ALLOW),
    "a key must be there": (when("Null", "aws:SourceIp", "false"), LOCAL, Word.ALLOW),
    "like a pattern": (when("StringLike", "s3:prefix", "home/[b]*"), {"s3:prefix": ("home/[b]ob",)}, Word.ALLOW),
    "brackets are no sets": (when("StringLike", "s3:prefix", "[ab]"), {"s3:prefix": ("a",)}, Word.NOTHING),
    "few enough keys": (when("NumericLessThanEquals", "s3:max-keys", 10), {"s3:max-keys": ("10",)}, Word.ALLOW),
    "too many keys": (when("NumericLessThan", "s3:max-keys", "10"), {"s3:max-keys": ("10",)}, Word.NOTHING),
    "before a date": (
        when("DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00Z"),
        {"aws:currenttime": ("2026-11-25T18:00:00+00:00",)}, Word.ALLOW,
    ),
    "a tag that the object has": (
        when("StringEquals", "s3:ExistingObjectTag/security", "public"),
        {"s3:existingobjecttag/security": ("public",)}, Word.ALLOW,
    ),
    "only tags that are known": (
        when("ForAllValues:StringLike", "s3:RequestObjectTagKeys", ["a", "b*"]),
        {"s3:requestobjecttagkeys": ("a", "b1")}, Word.ALLOW,
    ),
    "one tag that is not known": (
        when("ForAllValues:StringLike", "s3:RequestObjectTagKeys", ["a"]),
        {"s3:requestobjecttagkeys": ("a", "b1")}, Word.NOTHING,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_statement_says_what_it_says(name: str) -> None:
    """Each element of a statement narrows it, and a deny that is not meant denies nothing."""
    statement, context, expected = CASES[name]
    entries = json.loads(policy(statement))
    entries["Statement"][0] = {key: value for key, value in entries["Statement"][0].items() if value is not None}
    assert policy_of(json.dumps(entries)).word(BOB, *GETS_A, context) is expected


def test_one_deny_outweighs_every_allow() -> None:
    """The order of the statements does not matter."""
    deny = {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam:::user/bob"}}
    for text in (policy({}, deny), policy(deny, {})):
        assert policy_of(text).word(BOB, *GETS_A, {}) is Word.DENY
        assert policy_of(text).word((), *GETS_A, {}) is Word.ALLOW


def test_a_tenants_user_is_not_the_user_of_the_same_name() -> None:
    """What bob may, another tenant's bob may not."""
    theirs = names_of("acme$bob", "acme$bob", is_root=True)
    mine = policy_of(policy({"Principal": {"AWS": "arn:aws:iam:::user/bob"}}))
    assert mine.word(theirs, *GETS_A, {}) is Word.NOTHING
    acme = policy_of(policy({"Principal": {"AWS": "arn:aws:iam::acme:user/bob"}}))
    assert acme.word(theirs, *GETS_A, {}) is Word.ALLOW


def test_a_pattern_of_many_stars_is_no_trap() -> None:
    """A user's policy is matched on the loop that serves everybody."""
    mine = policy_of(policy({"Resource": "arn:aws:s3:::lake/" + "*a" * 500 + "*b"}))
    assert mine.word(BOB, "s3:GetObject", "lake/" + "a" * 1019, {}) is Word.NOTHING


BROKEN: dict[str, str] = {
    "JSON without a bottom": "[" * 15_000,
    "no JSON": "{",
    "a list": "[]",
    "no statement": '{"Version": "2012-10-17", "Statement": []}',
    "a version nobody knows": policy({}).replace("2012-10-17", "2020-01-01"),
    "an effect nobody knows": policy({"Effect": "Maybe"}),
    "an element nobody knows": policy({"Unless": "it rains"}),
    "an allow for all but one": policy({}).replace('"Principal"', '"NotPrincipal"'),
    "another bucket": policy({"Resource": "arn:aws:s3:::pond/*"}),
    "no resource of S3": policy({"Resource": "lake/*"}),
    "no action of S3": policy({"Action": "read"}),
    "a principal that is none": policy({"Principal": {"Planet": "Mars"}}),
    "an operator nobody knows": policy(when("StringRhymes", "aws:Referer", "x")),
    "a key nobody knows": policy(when("StringEquals", "aws:Weather", "rain")),
    "a number that is none": policy(when("NumericEquals", "s3:max-keys", "ten")),
    "an address that is none": policy(when("IpAddress", "aws:SourceIp", "home")),
    "a policy that is too long": policy({"Sid": "x" * 21_000}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_could_not_be_enforced_is_refused(name: str) -> None:
    """A policy that is taken is a policy that holds."""
    with pytest.raises(S3Error) as refused:
        checked_policy(BROKEN[name], "lake")
    assert refused.value.code == "MalformedPolicy"


PUBLIC: dict[str, tuple[dict[str, Any], bool]] = {
    "everybody": ({}, True),
    "everybody, put the long way": ({"Principal": {"AWS": "*"}}, True),
    "one account": ({"Principal": {"AWS": "arn:aws:iam::eve:root"}}, False),
    "nobody": ({"Effect": "Deny"}, False),
    "who comes from one network": (when("IpAddress", "aws:SourceIp", "10.0.0.0/8"), False),
    "who comes from anywhere": (when("IpAddress", "aws:SourceIp", "0.0.0.0/0"), True),
    "who says where he comes from": (when("StringLike", "aws:Referer", "http://here/*"), True),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_a_policy_is_public_if_it_lets_in_who_nobody_named(name: str) -> None:
    """The public-access block and the bucket's policy status go by this."""
    statement, is_public = PUBLIC[name]
    assert checked_policy(policy(statement), "lake").is_public is is_public

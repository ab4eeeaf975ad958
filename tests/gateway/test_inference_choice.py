"""Which version gets a request, from its head and from what was said of the route."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weyr.core.routes import Balance, RouteVersion, Rule, Sticky, Traffic
from weyr.gateway.inference.affinity import hash_of, heaviest, in_turn
from weyr.gateway.inference.choice import Chooser, UnknownVersion
from weyr.gateway.inference.counts import Counts
from weyr.gateway.inference.keeper import Keeper
from weyr.gateway.inference.line import with_lines
from weyr.gateway.inference.outcome import outcome_of
from weyr.gateway.inference.replica import Address, Replica
from weyr.gateway.inference.version import Version


@dataclass
class Request:
    caller: str = "anna"
    fields: Sequence[bytes] = ()
    kept: bytearray | None = None


def request(caller: str = "anna", **headers: str) -> Request:
    fields = [(name.replace("_", "-").encode(), b": ", value.encode(), b"\r\n") for name, value in headers.items()]
    return Request(caller, [word for field in fields for word in field])


def chosen(traffic: Traffic, asked: Request, weights: Sequence[int] = (95, 5, 0)) -> str:
    choice = Chooser("a/b", "345"[: len(weights)], weights, traffic).choose(asked)
    assert choice is not None
    return "345"[choice.at]


TO_5 = {
    "a header": (Rule("5", headers=(("X-Beta", "1"),)), request(x_beta="1"), request(x_beta="2")),
    "a header, any value": (Rule("5", headers=(("X-Beta", "*"),)), request(X_BETA="2"), request()),
    "a cookie": (Rule("5", cookies=(("beta", "1"),)), request(cookie="a=b; beta=1"), request(cookie="beta=10")),
    "a caller": (Rule("5", callers=("anna", "bob")), request("bob"), request("bobby")),
    "callers by their beginning": (Rule("5", callers=("lab:*",)), request("lab:eve"), request("eve")),
    "all of it at once": (
        Rule("5", headers=(("x-beta", "1"),), callers=("anna",)),
        request("anna", x_beta="1"),
        request("bob", x_beta="1"),
    ),
}


@pytest.mark.parametrize(("rule", "inside", "outside"), TO_5.values(), ids=TO_5)
def test_a_rule_goes_before_weights(rule: Rule, inside: Request, outside: Request) -> None:
    """A tester's or a tenant's requests go where they are meant to, though the version has no weight; nobody else's."""
    assert chosen(Traffic((rule,)), inside) == "5"
    assert chosen(Traffic((rule,)), outside) == "3"


def test_the_first_rule_that_holds_counts() -> None:
    """Rules are read as they are written."""
    rules = (Rule("5", callers=("anna",)), Rule("4", callers=("*",)))
    assert [chosen(Traffic(rules), request(name)) for name in ("anna", "bob")] == ["5", "4"]


def test_a_version_is_forced_only_where_that_is_allowed() -> None:
    """A test of one version must not be answered by another; and no caller picks its version where nobody said so."""
    asked = request(weyr_version="5")
    assert chosen(Traffic(), asked) == "3"
    chooser = Chooser("a/b", "345", (95, 5, 0), Traffic(is_forcible=True))
    choice = chooser.choose(asked)
    assert choice
    assert (choice.at, choice.is_forced) == (2, True)
    with pytest.raises(UnknownVersion, match="it has 3, 4, 5"):
        chooser.choose(request(weyr_version="9"))


def test_whoever_sticks_gets_the_same_version_each_time() -> None:
    """In every plane and after every restart: the choice is computed, not remembered."""
    for traffic, asked in (
        (Traffic(sticky=Sticky("caller")), request("anna")),
        (Traffic(sticky=Sticky("header", "X-User")), request(x_user="17")),
        (Traffic(sticky=Sticky("cookie", "visitor")), request(cookie="visitor=abc")),
    ):
        assert len({chosen(traffic, asked, (50, 50)) for _ in range(20)}) == 1


def test_a_visitor_without_the_cookie_gets_one_that_leads_to_the_same_version() -> None:
    """The answer to the first request and the second request are of one version."""
    chooser = Chooser("a/b", "34", (50, 50), Traffic(sticky=Sticky("cookie", "visitor", 60)))
    for _ in range(20):
        first = chooser.choose(request())
        assert first
        head, _, rest = first.cookie.partition(b";")
        assert rest == b" Path=/a/b; Max-Age=60; HttpOnly; SameSite=Lax\r\n"
        second = chooser.choose(request(cookie=head.removeprefix(b"set-cookie: ").decode()))
        assert second
        assert (second.at, second.cookie) == (first.at, b"")


def test_who_has_not_the_header_goes_by_weight() -> None:
    """Without it there is nobody to keep."""
    chooser = Chooser("a/b", "34", (3, 1), Traffic(sticky=Sticky("header", "x-user")))
    assert Counter(choice.at for _ in range(40) if (choice := chooser.choose(request()))) == {0: 30, 1: 10}


KEYS = [hash_of(str(n).encode()) for n in range(4000)]


def test_keys_are_shared_as_the_weights_say() -> None:
    """An A/B test of 80 to 20 has about 80 to 20 of the callers (4,000: within 3 points)."""
    count = Counter(heaviest(key, [hash_of(b"3"), hash_of(b"4")], (80, 20)) for key in KEYS)
    assert abs(count[1] / len(KEYS) - 0.2) < 0.03


@given(st.lists(st.integers(0, 100), min_size=2, max_size=5), st.integers(0, 100))
def test_a_change_of_one_weight_moves_callers_only_to_or_from_it(weights: list[int], changed: int) -> None:
    """Whoever saw one variant must not see another because the test was widened, unless it draws them itself."""
    names = [hash_of(str(at).encode()) for at in range(len(weights))]
    after = [changed, *weights[1:]]
    for key in KEYS[:100]:
        was, now = heaviest(key, names, weights), heaviest(key, names, after)
        assert was == now or (now == 0 and changed > weights[0]) or (was == 0 and changed < weights[0])


def test_a_key_keeps_its_order_when_somebody_goes() -> None:
    """What is warm in a replica stays there while others come and go."""
    names = [hash_of(str(at).encode()) for at in range(5)]
    for key in KEYS[:50]:
        order = in_turn(key, names)
        assert sorted(order) == list(range(5))
        assert [at for at in order if at != 4] == in_turn(key, names[:4])


def keeper(balance: Balance, count: int = 4) -> Keeper:
    version = Version(RouteVersion("3"), Counts("3"), Balance())
    return Keeper(balance, [Replica(Address(str(n), f"/r/{n}"), version) for n in range(count)])


def chat(system: str, question: str = "hi") -> Request:
    asked = {
        "model": question,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
    }
    return Request(kept=bytearray(json.dumps(asked).encode()))


def owner(keeper: Keeper, asked: Request, now: float = 0.0) -> Replica:
    replica = keeper.pick(now, asked)
    assert replica is not None
    return replica


def test_prompts_that_begin_alike_go_to_one_replica() -> None:
    """What it computed of their beginning is used again; what differs spreads over all."""
    kept = keeper(Balance("prefix", prefix_bytes=60))
    assert len({owner(kept, chat("You sort digits. " * 9, str(n))).address for n in range(20)}) == 1
    assert len({owner(kept, chat(f"{n} You sort digits.")).address for n in range(40)}) == 4


def test_an_overloaded_replica_passes_the_rest_on() -> None:
    """One prompt that everybody begins with must not leave three of four replicas idle."""
    kept = keeper(Balance("prefix", overload=1.25))
    for _ in range(100):
        owner(kept, chat("the same")).inflight += 1
    inflight = sorted(replica.inflight for replica in kept._replicas)
    assert inflight[-1] <= 1.25 * 101 / 4 + 1
    assert inflight[0] > 0


def test_a_replica_that_rests_keeps_its_claim() -> None:
    """Its prompts go to the next meanwhile, and come back to what is still warm."""
    kept = keeper(Balance("session", header="x-session"))
    asked = request(x_session="17")
    first = owner(kept, asked)
    first.down_until = 5.0
    assert owner(kept, asked, now=4.0) is not first
    assert owner(kept, asked, now=6.0) is first


def test_a_session_is_named_by_header_cookie_or_user() -> None:
    """The user is a field of the body, and not a text that somebody wrote into a message."""
    bodies = [b'{"user": "eve", "n": 1}', b'{"n": 2, "user":"eve"}', b'{"x": "\\"user\\": \\"bob\\"", "user": "eve"}']
    kept = keeper(Balance("session"), 16)
    assert len({owner(kept, Request(kept=bytearray(body))).address for body in bodies}) == 1
    by_cookie = keeper(Balance("session", cookie="sid"), 16)
    assert owner(by_cookie, request(cookie="a=1; sid=x")) is owner(by_cookie, request(cookie="sid=x"))
    assert by_cookie.pick(0.0, request()) is None, "who has no session goes to the least busy one"


def test_an_outcome_is_a_number_and_perhaps_a_version() -> None:
    """Anything else is refused with a sentence: a report that was misread would spoil an experiment."""
    assert outcome_of(b'{"value": 1}') == (1.0, "")
    assert outcome_of(b'{"value": true, "version": "4"}') == (1.0, "4")
    for wrong in (b"", b"1", b"[]", b"{}", b'{"value": "1"}', b'{"value": NaN}', b'{"value": 1, "version": 4}'):
        with pytest.raises(ValueError):
            outcome_of(wrong)


def test_added_headers_belong_to_the_answer_and_not_to_what_was_said_before() -> None:
    """A hint that comes before the answer is a head of its own."""
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    added = b"HTTP/1.1 200 OK\r\nweyr-version: 3\r\nContent-Length: 2\r\n\r\nhi"
    assert with_lines(final, b"weyr-version: 3\r\n") == added
    assert with_lines(hint + final, b"weyr-version: 3\r\n") == hint + added

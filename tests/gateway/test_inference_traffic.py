"""How requests find their version, with a real plane and replicas behind it."""

import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from inference_plane import ROUTE, TOKEN, until
from variants import Trial, raw, running_trial

from weyr.core.limits import Limits, Price
from weyr.core.route_limits import RouteLimits
from weyr.core.routes import Balance, RouteBody, RouteVersion, Rule, Shadow, ShadowCounts, Sticky, Traffic


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with running_trial("--limits", str(tmp_path_factory.mktemp("limits") / "limits")) as running:
        yield running


def test_a_canary_gets_its_share_and_a_version_without_weight_nothing(trial: Trial) -> None:
    """Exactly, from the first requests on: 10 of 100 is every tenth."""
    trial.tell(a=90, b=10, c=0)
    assert Counter(trial.by() for _ in range(40)) == {"a": 36, "b": 4}


def test_each_version_is_counted_by_itself(trial: Trial) -> None:
    """A canary's errors and latency are compared with the others', so they must not be mixed."""
    trial.tell(a=50, b=50)
    before = trial.counts()
    trial.variants["b"].answers = lambda got: (500, b"{}")
    statuses = Counter(trial.ask()[0] for _ in range(10))
    assert statuses == {200: 5, 500: 5}
    after = trial.counts()
    for name, errors in (("a", 0), ("b", 5)):
        assert after[name].requests - before[name].requests == 5
        assert after[name].errors - before[name].errors == errors
        assert sum(after[name].buckets) == after[name].requests
        assert after[name].latency_sum_s >= before[name].latency_sum_s


def test_a_canary_that_is_not_there_fails_nobody_and_is_told_of(trial: Trial) -> None:
    """Its share goes to the others, and the plane says how many requests it should have had."""
    before = trial.counts()
    trial.tell(a=50, b=50, absent="b")
    assert {trial.by() for _ in range(10)} == {"a"}
    after = trial.counts()
    assert after["b"].missed - before["b"].missed == 5
    assert after["b"].requests == before["b"].requests


def test_a_canary_whose_process_is_gone_fails_nobody(trial: Trial) -> None:
    """The routes still name it; who refuses a connection is passed over at once."""
    trial.tell(a=50, c=50)
    trial.variants["c"].path.rename(trial.plane.home / "away.sock")
    try:
        assert {trial.by() for _ in range(6)} == {"a"}
    finally:
        (trial.plane.home / "away.sock").rename(trial.variants["c"].path)


def test_the_answer_says_which_version_gave_it(trial: Trial) -> None:
    """Also on a connection that is kept, and for an answer to HEAD."""
    trial.tell(a=50, b=50)
    line = f"/{ROUTE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    answers = raw(trial.plane, (b"GET %b\r\n" % line) * 2 + b"GET %bConnection: close\r\n\r\n" % line)
    assert answers.count(b"HTTP/1.1 200 OK\r\nweyr-version: a\r\n") + answers.count(b"weyr-version: b\r\n") == 3


def test_a_forced_version_is_that_version_or_nobody(trial: Trial) -> None:
    """A test of the canary must not succeed because another version answered it."""
    trial.tell(Traffic(is_forcible=True), a=100, b=0, c=0, absent="c", hold_s=0.05)
    assert trial.by({"weyr-version": "b"}) == "b"
    assert trial.ask({"weyr-version": "c"})[0] == 503
    status, answer = trial.ask({"weyr-version": "9"})
    assert (status, b"it has a, b, c" in answer) == (404, True)


def test_rules_choose_before_weights(trial: Trial) -> None:
    """By a header, by a cookie, and by who calls: the token's own name, not what a request says of itself."""
    rules = (
        Rule("b", headers=(("X-Beta", "1"),)),
        Rule("c", cookies=(("beta", "*"),)),
        Rule("c", callers=("nobody", "test*"), headers=(("x-mine", "*"),)),
    )
    trial.tell(Traffic(rules), a=100, b=0, c=0)
    assert trial.by() == "a"
    assert trial.by({"x-beta": "1"}) == "b"
    assert trial.by({"Cookie": "beta=1"}) == "c"
    assert trial.by({"X-Mine": "1"}) == "c"


def test_a_visitor_stays_with_one_variant(trial: Trial) -> None:
    """The first answer sets the cookie; who brings it back gets the same variant, and no other cookie."""
    trial.tell(Traffic(sticky=Sticky("cookie", "visitor")), a=50, b=50)
    for _ in range(3):
        first = raw(
            trial.plane,
            f"GET /{ROUTE}/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {TOKEN}\r\n\r\n".encode(),
        )
        head = first.partition(b"\r\n\r\n")[0].decode()
        (cookie,) = [line for line in head.split("\r\n") if line.startswith("set-cookie: visitor=")]
        who = first.rpartition(b'"by": "')[2][:1].decode()
        value = cookie.partition(": ")[2].partition(";")[0]
        assert {trial.by({"Cookie": value}) for _ in range(4)} == {who}


def test_callers_report_what_came_of_an_answer(trial: Trial) -> None:
    """The plane counts it for the version that keeps the caller, or for the one the report names; none is passed on."""
    trial.tell(Traffic(sticky=Sticky("header", "x-user"), takes_outcomes=True), a=50, b=50)
    before = trial.counts()
    who = trial.by({"x-user": "17"})
    report = f"/{ROUTE}/feedback"
    status, said = trial.plane.ask(report, "POST", b'{"value": 3}', **{"x-user": "17"})
    assert (status, json.loads(said)) == (200, {"version": who})
    assert trial.plane.ask(report, "POST", b'{"value": 4, "version": "a"}')[0] == 200
    assert trial.plane.ask(report, "POST", b'{"value": 1}')[0] == 400
    assert trial.plane.ask(report, "POST", b'{"value": "much"}', **{"x-user": "17"})[0] == 400
    after = trial.counts()
    gained = {name: after[name].outcome_sum - before[name].outcome_sum for name in "ab"}
    assert sum(gained.values()) == 7
    assert gained[who] >= 3
    assert not [got for variant in trial.variants.values() for got in variant.got if "feedback" in got.path]
    trial.tell(a=100)
    assert trial.plane.ask(report, "POST", b"{}")[0] == 200, "it is the replica's own where no outcomes are taken"


def test_a_prompts_beginning_decides_only_once_it_is_there(trial: Trial) -> None:
    """A body that comes in pieces is waited for, up to what is held anyway; the replica gets all of it."""
    replicas = tuple((name, str(trial.variants[name].path)) for name in "abc")
    trial.tell(a=1)
    balance = Traffic(balance=Balance("prefix", overload=3))
    trial.plane.tell(RouteBody(ROUTE, (RouteVersion("9", replicas=replicas),), 10.0, balance))
    bodies = [b'{"messages": ["%b", "%d"]}' % (b"long" * 300, at) for at in range(4)]
    who = {trial.by(body=body) for body in bodies}
    assert len(who) == 1
    (variant,) = [trial.variants[name] for name in who]
    assert [got.body for got in variant.got] == bodies
    line = f"POST /{ROUTE}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    head = line.encode() + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(bodies[0])
    said = raw(trial.plane, head, bodies[0][:9], bodies[0][9:], waits=True)
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert variant.got[-1].body == bodies[0]
    huge = b'{"messages": "' + bodies[0] * 600
    assert trial.by(body=huge)
    assert {len(got.body) for name in "abc" for got in trial.variants[name].got} >= {len(huge)}


def shadow_of(trial: Trial) -> ShadowCounts:
    return trial.counts()["c"].shadow


def test_a_shadow_gets_its_share_and_never_answers(trial: Trial) -> None:
    """A copy is the whole request; the caller sees nothing of it, and no version is billed or counted for it."""
    trial.tell(Traffic(shadows=(Shadow("c", 0.5),)), a=100, c=0)
    before, counts = shadow_of(trial), trial.counts()
    for at in range(6):
        assert trial.by(body=b'{"n": %d}' % at) == "a"
    until(lambda: shadow_of(trial).compared - before.compared == 3, "three copies are compared")
    assert shadow_of(trial).differed - before.differed == 3, "its answer names another"
    assert sorted(got.body for got in trial.variants["c"].got) == [b'{"n": 1}', b'{"n": 3}', b'{"n": 5}']
    assert {got.headers["weyr-shadow"] for got in trial.variants["c"].got} == {"1"}
    assert "authorization" not in trial.variants["c"].got[0].headers
    after = trial.counts()
    assert after["c"].requests == counts["c"].requests
    assert after["a"].requests - counts["a"].requests == 6


def test_no_caller_pays_for_a_shadows_copies(trial: Trial) -> None:
    """Four requests at a cent each are all that a caller has money for, and four are answered, copies or not; a shadow
    that says more tokens than the answer uses up no limit either."""
    daily = RouteLimits(
        per_caller=Limits(micros_per_day=40_000, tokens_per_minute=1000), price=Price(request_micros=10_000)
    )
    trial.tell(Traffic(shadows=(Shadow("c"),)), limits=daily, a=100, c=0)
    trial.variants["c"].answers = lambda got: (200, b'{"usage": {"prompt_tokens": 900, "completion_tokens": 900}}')
    before = shadow_of(trial)
    assert [trial.ask()[0] for _ in range(4)] == [200] * 4
    until(lambda: shadow_of(trial).compared == before.compared + 4, "every copy is answered")
    status, text = trial.ask()
    assert (status, b"money" in text or b"day" in text) == (429, True), text


def test_a_shadows_answers_are_alike_within_the_tolerance(trial: Trial) -> None:
    """Two versions of a model hardly ever agree to the last digit; a body in chunks is copied as well."""
    trial.tell(Traffic(shadows=(Shadow("c", tolerance=0.01),)), a=100, c=0)
    before = shadow_of(trial)
    trial.variants["a"].answers = lambda got: (200, b'{"y": [1.0, 2.0], "ok": true}')
    trial.variants["c"].answers = lambda got: (200, b'{"ok": true, "y": [1.001, 2]}')
    assert trial.plane.ask(f"/{ROUTE}/x", "POST", iter([b"ab", b"cd"]))[0] == 200  # type: ignore[arg-type]
    until(lambda: shadow_of(trial).compared == before.compared + 1, "it is compared")
    assert shadow_of(trial).differed == before.differed
    assert trial.variants["c"].got[0].body == b"abcd"
    trial.variants["c"].answers = lambda got: (200, b'{"ok": 1, "y": [1.001, 2]}')
    trial.ask()
    until(lambda: shadow_of(trial).differed == before.differed + 1, "one is not alike")


def test_a_shadow_that_hangs_or_is_gone_holds_nobody_up(trial: Trial) -> None:
    """Copies that find the line full are dropped and counted; those that get no answer are failures."""
    stuck = threading.Event()
    trial.tell(Traffic(shadows=(Shadow("c", waiting_max=2, timeout_s=2),)), a=100, c=0)
    before = shadow_of(trial)
    trial.variants["c"].answers = lambda got: (200 + stuck.wait(60), b"")
    assert [trial.by() for _ in range(6)] == ["a"] * 6
    until(lambda: shadow_of(trial).dropped - before.dropped >= 3, "some are dropped at once")
    until(lambda: shadow_of(trial).failed - before.failed >= 2, "the others failed")
    stuck.set()
    trial.tell(Traffic(shadows=(Shadow("c"),)), absent="c", a=100, c=0)
    dropped = shadow_of(trial).dropped
    assert trial.by() == "a"
    until(lambda: shadow_of(trial).dropped == dropped + 1, "nobody was there to take it")


def test_the_share_follows_the_routes_while_requests_pass(trial: Trial) -> None:
    """A step of a rollout is a change of weights; it needs no new connection."""
    trial.tell(a=100, b=0)
    assert {trial.by() for _ in range(4)} == {"a"}
    trial.tell(a=0, b=100)
    until(lambda: trial.by() == "b", "the weights are in force")
    assert {trial.by() for _ in range(4)} == {"b"}

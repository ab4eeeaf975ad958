"""A stack whose endpoints share requests in every way that the file knows, and what a user does with it.

It takes the place of the canary guide's stack while that is up, so that no other server has to be started for it.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import openai
import yaml
from one_user import User, until

HERE = Path(__file__).parent
Ask = Callable[..., tuple[int, str, dict[str, str]]]
MLFLOW = "/api/2.0/mlflow"
REGISTERED = {"named": "canary-named", "other": "canary-other"}


def changed(user: User, greeting: str, **rollout: Any) -> None:
    """Another version of the greeter, which stays at its first step until somebody or something moves it."""
    file = user.folder / "weyr.yaml"
    stack = yaml.safe_load(file.read_text())
    stack["endpoints"]["greeter"]["env"] = {"GREETING": greeting}
    stack["endpoints"]["greeter"]["rollout"] |= {"every": "1h", **rollout}
    user.up(yaml.safe_dump(stack))


class Caller:
    """Asks endpoints of the stack over a kept connection, until it is closed."""

    def __init__(self, user: User) -> None:
        self._line = HTTPConnection(user.url("inference").removeprefix("http://"), timeout=60)
        self._token = user.token

    def close(self) -> None:
        self._line.close()

    def ask(self, path: str, body: str | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
        given = {"Authorization": f"Bearer {self._token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._line.request("GET" if body is None else "POST", f"/canary/{path}", body, given)
        answer = self._line.getresponse()
        text = answer.read().decode()
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}


def tried(user: User) -> None:
    """All of it, one after the other."""
    with closing(Caller(user)) as caller:
        rolled_out_by_hand(user, caller.ask)
        taken_back_for_its_quality(user, caller.ask)
        side_by_side(user, caller.ask)
    falls_back_elsewhere(user)


def rolled_out_by_hand(user: User, ask: Ask) -> None:
    """Orders are carried out on a real stack, and one that makes no sense is refused with its reason."""
    ref = "endpoint/greeter"

    def greets(*texts: str) -> bool:
        return {ask("greeter/")[1] for _ in range(40)} == set(texts)

    def told(event: str, count: int) -> None:
        until(lambda: len(user.events(event, ref)) >= count, f"{event} for the {count}th time")

    before = {event: len(user.events(event, ref)) for event in ("rollout.step", "rollout.promoted", "rollout.aborted")}
    said = user.weyr("rollout", "abort", ref, status=None)
    assert (said.status, "no new version is on its way" in said.text) == (1, True), said.text
    changed(user, "aye")
    told("rollout.step", before["rollout.step"] + 1)
    user.weyr("rollout", "pause", ref)
    told("rollout.paused", 1)
    until(lambda: "paused" in user.weyr("describe", ref).out, "its rollout to be described as paused")
    assert "it is paused already" in user.weyr("rollout", "pause", ref, status=1).text
    until(lambda: greets("hi", "aye"), "both versions to answer")
    user.weyr("rollout", "resume", ref)
    told("rollout.resumed", 1)
    user.weyr("rollout", "promote", ref)
    told("rollout.promoted", before["rollout.promoted"] + 1)
    until(lambda: greets("aye"), "the promoted version to answer alone")
    until(lambda: "rollout" not in user.row(ref)["outputs"], "the rollout to be over")
    changed(user, "nay")
    told("rollout.step", before["rollout.step"] + 2)
    user.weyr("rollout", "abort", ref)
    told("rollout.aborted", before["rollout.aborted"] + 1)
    until(lambda: greets("aye"), "the old version to answer again")
    taken_back = "was taken back at 10% of the requests: by order"
    until(lambda: taken_back in user.weyr("describe", ref).out, "it to be described as taken back")


def taken_back_for_its_quality(user: User, ask: Ask) -> None:
    """Answers that come fast and without an error may be bad ones: what callers report of them counts."""
    ref = "endpoint/greeter"
    before = len(user.events("rollout.step", ref)), len(user.events("rollout.aborted", ref))
    changed(user, "eh", abort_if={"quality": "0.9"})
    until(lambda: len(user.events("rollout.step", ref)) > before[0], "the canary to have its share")

    def canary() -> str:
        _, text, headers = ask("greeter/")
        return headers["weyr-version"] if text == "eh" else ""

    version = until(canary, "the canary to answer")
    for _ in range(30):
        assert ask("greeter/feedback", f'{{"value": 0.2, "version": "{version}"}}')[0] == 200
    until(lambda: len(user.events("rollout.aborted", ref)) > before[1], "the canary to be taken back")
    until(lambda: "the mean outcome is 0.2 (limit 0.9)" in user.message(ref), "the reason to be told")


def side_by_side(user: User, ask: Ask) -> None:
    """Variants by weight and rule, a shadow that is compared, and several models in one replica."""
    _up(user)
    answers: Counter[str] = Counter()
    for _ in range(240):
        status, text, headers = ask("ab/predict", '{"x": [1.0]}', Content_Type="application/json")
        assert status == 200, text
        name = headers["weyr-version"]
        assert name in text
        answers[name] += 1
        value = 1 if name == "fresh" else answers[name] % 2
        assert ask("ab/feedback", f'{{"value": {value}, "version": "{name}"}}')[0] == 200
    assert answers == {"steady": 160, "fresh": 80}
    assert {ask("ab/predict", '{"x": [1]}', x_beta="yes")[2]["weyr-version"] for _ in range(5)} == {"fresh"}

    def compared() -> int:
        versions = user.api("GET", "/v1/objects?kind=endpoint&name=ab&stack=canary")["objects"][0]["things"]
        counts = [one for thing in versions for one in thing.get("versions") or () if one["name"] == "shadow"]
        return sum(one["shadow"]["compared"] for one in counts)

    # Nobody waits for a shadow, so the endpoint may have been ready before it: then its copies were dropped.
    until(
        lambda: ask("ab/predict", '{"x": [1]}', Content_Type="application/json")[0] == 200 and compared() >= 10,
        "copies to have been compared with the answers",
    )
    report = until(lambda: said if "better" in (said := user.weyr("ab", "endpoint/ab").out) else "", "a verdict")
    assert "outcome" in report
    assert "fresh" in report
    findings = user.asked("ab", "endpoint/ab", "--control", "steady")["findings"]
    assert {finding["measure"]: finding["verdict"] for finding in findings}["outcome"] == "better"
    until(lambda: "better" in user.weyr("describe", "endpoint/ab").out, "the endpoint to tell the verdict")

    for model, text in (("named", "steady"), ("other", "other")):
        status, said, _ = ask(f"both/predict/{model}", '{"x": [1.0, 2.0]}', Content_Type="application/json")
        assert (status, said.count(text)) == (200, 2), said


def falls_back_elsewhere(user: User) -> None:
    """An unmodified client is answered by the server elsewhere, whose key is in no file that the routes are in; a
    stream has no event that the client did not ask for."""
    asked: Any = {"model": "mine", "messages": [{"role": "user", "content": "hi"}]}
    url = f"{user.url('inference')}/canary/front/v1"
    with openai.OpenAI(base_url=url, api_key=user.token, max_retries=0) as client:
        whole = client.chat.completions.with_raw_response.create(**asked)
        assert whole.headers["weyr-answered-by"].startswith("127.0.0.1")
        assert whole.parse().choices[0].message.content == "one two three"
        pieces = [chunk.choices[0].delta.content for chunk in client.chat.completions.create(**asked, stream=True)]
        assert "".join(piece or "" for piece in pieces) == "onetwothree"
    (routes,) = user.home.rglob("routes.json")
    assert user.token not in routes.read_text()


def _up(user: User) -> None:
    shutil.copy(HERE / "traffic_code.py", user.folder)
    shutil.copy(HERE / "chat_server.py", user.folder)
    small = {"cpu": 0.2}
    stack: dict[str, Any] = {
        "stack": "canary",
        "buckets": {"lake": {}},
        "models": {"named": {}, "other": {}},
        "secrets": {"far": {}},
        "endpoints": {
            "ab": {
                "variants": {"steady": {"model": "named", "weight": 2}, "fresh": {"model": "named@beta"}},
                "rules": [{"header": {"x-beta": "yes"}, "to": "fresh"}],
                "shadow": {"model": "named@candidate", "sample": "50%"},
                "handler": "traffic_code.py:Named",
                "resources": small,
            },
            "both": {"models": ["named", "other"], "handler": "traffic_code.py:Named", "resources": small},
            "chat": {"run": f"{sys.executable} chat_server.py", "resources": small},
            "front": {
                "run": f"{sys.executable} traffic_code.py",
                "resources": small,
                "fallback": [{
                    "url": f"{user.url('inference')}/canary/chat/v1", "model": "theirs", "secret": "far",
                    "prompt_price": "1 USD", "budget": "5 USD", "per": "day",
                }],
            },
        },
    }  # fmt: skip
    user.write(yaml.safe_dump(stack))
    user.weyr("up", "--yes", "--detach")
    user.weyr("secret", "set", "canary/far", stdin=user.token)
    until(lambda: user.row("bucket/lake").get("phase") == "ready", "the bucket")
    until(lambda: all(user.row(f"model/{name}").get("phase") == "ready" for name in REGISTERED), "the models")
    bucket, store = user.row("bucket/lake")["outputs"]["name"], user.s3()
    for model, alias in (("named", "production"), ("named", "beta"), ("named", "candidate"), ("other", "production")):
        text = {"production": "steady", "beta": "fresh"}.get(alias, alias) if model == "named" else model
        store.put_object(Bucket=bucket, Key=f"{model}-{alias}/name.txt", Body=text.encode())
        of = {"name": REGISTERED[model], "source": f"s3://{bucket}/{model}-{alias}"}
        version = user.api("POST", f"{MLFLOW}/model-versions/create", of)["model_version"]["version"]
        user.api("POST", f"{MLFLOW}/registered-models/alias", {"name": of["name"], "alias": alias, "version": version})
    for name in ("ab", "both", "chat", "front"):
        user.until_phase(f"endpoint/{name}", "ready")

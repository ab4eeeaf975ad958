"""Webhooks are told of what boto3 does, also of what happened while they were away."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_s3_serve import USERS, Served, code_of, served

TOPIC = "arn:aws:sns:us-east-1::hook"


class Hook:
    """A webhook that writes down what it is told, and refuses while it is told to."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.refused = 0
        self.is_refusing = False
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if hook.is_refusing:
                    hook.refused += 1
                else:
                    hook.told += body["Records"]
                self.send_response(503 if hook.is_refusing else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: what it was told is kept."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.argument = f"--webhook=hook=http://127.0.0.1:{self.server.server_port}/told"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def names(self) -> list[tuple[str, str]]:
        return [(record["eventName"], record["s3"]["object"]["key"]) for record in self.told]


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


def until(holds: Any, what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"it never came to be: {what}"
        time.sleep(0.05)


def tell(client: Any, bucket: str, *events: str, prefix: str = "", target: str = TOPIC) -> None:
    rules = [{"Name": "prefix", "Value": prefix}] if prefix else []
    topic = {"Id": "t", "TopicArn": target, "Events": list(events), "Filter": {"Key": {"FilterRules": rules}}}
    client.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [topic]}
    )


def test_a_webhook_is_told_of_what_it_asked_for(hook: Hook, tmp_path: Path) -> None:
    with served(tmp_path / "buckets", *USERS, hook.argument) as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="told")
        tell(client, "told", "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", prefix="in/")
        shown = client.get_bucket_notification_configuration(Bucket="told")["TopicConfigurations"]
        assert (shown[0]["TopicArn"], shown[0]["Filter"]["Key"]["FilterRules"][0]["Value"]) == (TOPIC, "in/")
        client.put_object(Bucket="told", Key="in/a b", Body=b"12345")
        client.put_object(Bucket="told", Key="out", Body=b"x")
        client.copy_object(Bucket="told", Key="in/copy", CopySource="told/out")
        client.delete_object(Bucket="told", Key="in/copy")
        expected = [("Put", "in%2Fa+b"), ("Copy", "in%2Fcopy")]
        wanted = [*((f"ObjectCreated:{how}", key) for how, key in expected), ("ObjectRemoved:Delete", "in%2Fcopy")]
        until(lambda: hook.names() == wanted, "the webhook was told of three events, in order")
        told = hook.told[0]["s3"]
        assert (told["bucket"]["name"], told["object"]["size"], told["configurationId"]) == ("told", 5, "t")
        client.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration={})
        client.put_object(Bucket="told", Key="in/more", Body=b"x")
        assert "TopicConfigurations" not in client.get_bucket_notification_configuration(Bucket="told")


def test_what_a_webhook_missed_it_is_told_later(hook: Hook, tmp_path: Path) -> None:
    """It may be away, and the server may stop meanwhile: an event is on disk with the change that it tells of."""
    hook.is_refusing = True
    with served(tmp_path / "buckets", *USERS, hook.argument) as s3:
        client = s3.client("ann")
        client.create_bucket(Bucket="told")
        tell(client, "told", "s3:ObjectCreated:Put")
        for key in ("a", "b"):
            client.put_object(Bucket="told", Key=key, Body=b"x")
        until(lambda: hook.refused, "the webhook was asked")
        s3.process.kill()
        s3.process.wait(60)
    hook.is_refusing = False
    with served(tmp_path / "buckets", *USERS, hook.argument):
        until(lambda: [key for _, key in hook.names()] == ["a", "b"], "the webhook was told of both")


def test_nobody_is_promised_what_will_not_be_told(tmp_path: Path) -> None:
    """An unknown webhook, an event that never comes, a function: each is refused."""
    with served(tmp_path / "buckets", *USERS) as s3:
        check_refusals(s3)


def check_refusals(s3: Served) -> None:
    client = s3.client("ann")
    client.create_bucket(Bucket="told")
    refused = ("InvalidArgument", 400)
    assert code_of(tell, client, "told", "s3:ObjectCreated:*") == refused
    assert code_of(tell, client, "told", "s3:ReducedRedundancyLostObject") == refused
    function = {"LambdaFunctionArn": "arn:aws:lambda:us-east-1:1:function:f", "Events": ["s3:ObjectCreated:*"]}
    put = client.put_bucket_notification_configuration
    functions = {"LambdaFunctionConfigurations": [function]}
    assert code_of(put, Bucket="told", NotificationConfiguration=functions) == ("NotImplemented", 501)

"""An alert reaches a real Slack-like door and a real mail server, in their forms, and no secret is said aloud."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from webhook import webhook

from weyr.core.capability import Channel, NoticeBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import NoticeFacts, Present
from weyr.engines.local.notices import LocalNotices
from weyr.engines.local.telling import PATIENCE, Patience, tell

ALERT = ThingId(Ref("digits", "budget", "month"), "2026-11-0.5-0")
KEY = Ref("digits", "secret", "door")
DETAILS = {"budget": "digits:budget/month", "share": "50%"}
WITHIN_S = 60.0


class MailServer:
    """SMTP as far as a client needs it (RFC 5321): it keeps what it is sent, and may refuse for a while."""

    def __init__(self, refusals: int = 0) -> None:
        self.mails, self.logins, self.refusals = list[str](), list[str](), refusals
        mails = self

        class Session(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                self.say("220 here")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split()[0].upper()
                    if verb == "EHLO":
                        self.say("250-here\r\n250 AUTH PLAIN")
                    elif verb == "AUTH":
                        mails.logins.append(line.split()[2])
                        self.say("235 welcome")
                    elif verb == "MAIL" and mails.refusals:
                        mails.refusals -= 1
                        self.say("451 later; your password is hidden")
                    elif verb == "DATA":
                        self.say("354 go on")
                        lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                        mails.mails.append("".join(lines))
                        self.say("250 taken")
                    else:
                        self.say("221 bye" if verb == "QUIT" else "250 ok")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]


@contextmanager
def mail_server(refusals: int = 0) -> Iterator[MailServer]:
    mails = MailServer(refusals)
    thread = threading.Thread(target=mails.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield mails
    mails.server.shutdown()
    thread.join()
    mails.server.server_close()


@contextmanager
def notices(
    folder: Path, secrets: dict[Ref, bytes], log: list[str], patience: Patience = PATIENCE
) -> Iterator[LocalNotices]:
    def note(event: str, fields: object) -> None:
        log.append(f"{event} {fields}")

    engine = LocalNotices(folder, time.time, note, secrets.get, retry_first_s=0.02, patience=patience)
    yield engine
    engine.close()


def until_delivered(engine: LocalNotices) -> None:
    end, pause = time.monotonic() + WITHIN_S, threading.Event()
    while True:
        seen = engine.observe([ALERT])[ALERT]
        if isinstance(seen, Present) and isinstance(seen.facts, NoticeFacts) and seen.facts.delivered:
            return
        assert time.monotonic() < end, "it was not delivered"
        pause.wait(0.01)


def test_slack_gets_its_own_form_at_an_address_from_the_vault(tmp_path: Path) -> None:
    """The address is all that somebody needs to write to the channel: it is in no file of the engine's, and no log."""
    log: list[str] = []
    with webhook(503, 200) as door, notices(tmp_path, {KEY: door.url.encode()}, log) as engine:
        engine.ensure([Wanted(ALERT, 1, NoticeBody("50% of <200> & more", DETAILS, Channel.SLACK, secret=KEY))])
        until_delivered(engine)
    first, second = door.got
    assert first == second
    assert second["text"] == "50% of &lt;200&gt; &amp; more"
    blocks: Any = second["blocks"]
    (section,) = blocks
    assert section["text"]["text"] == second["text"]
    assert {"type": "mrkdwn", "text": "*share*\n50%"} in section["fields"]
    kept = "".join(path.read_text() for path in tmp_path.glob("*.json"))
    assert "hidden" not in kept + str(log)
    assert "answered 503" in str(log)


def test_a_mail_is_sent_again_until_the_server_takes_it(tmp_path: Path) -> None:
    """Under one identity, so that a mail program shows it once; what the server says is not repeated."""
    log: list[str] = []
    with mail_server(refusals=2) as mails:
        secrets = {KEY: f"smtp://weyr:hid%40den@127.0.0.1:{mails.port}".encode()}
        with notices(tmp_path, secrets, log) as engine:
            body = NoticeBody("50% is spent", DETAILS, Channel.EMAIL, "team@example.org", "weyr@example.org", KEY)
            engine.ensure([Wanted(ALERT, 1, body)])
            until_delivered(engine)
    (mail,) = (message_from_string(text) for text in mails.mails)
    assert (mail["To"], mail["From"], mail["Subject"]) == ("team@example.org", "weyr@example.org", "50% is spent")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert abs(parsedate_to_datetime(mail["Date"]).timestamp() - time.time()) < 3600
    assert mail["Message-ID"] == "<digits.budget.month.2026-11-0.5-0@example.org>"
    assert "share: 50%" in mail.get_payload()
    assert len(mails.logins) == 3
    assert "answered 451" in str(log)
    assert "hid" not in str(log)


PROBLEMS: dict[str, tuple[bytes | None, Channel, str]] = {
    "the secret has no value": (None, Channel.SLACK, "secret/door has no value"),
    "the address is none": (b"hidden", Channel.SLACK, "not an address"),
    "the mail server's address is none": (b"hidden:25", Channel.EMAIL, "not an address"),
    "nobody listens": (b"smtp://127.0.0.1:1", Channel.EMAIL, "cannot be used: nobody listens there"),
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_what_cannot_be_sent_says_why_and_waits(tmp_path: Path, case: str) -> None:
    """It is not lost: once the secret is right, it goes out."""
    value, channel, why = PROBLEMS[case]
    log: list[str] = []
    secrets = {} if value is None else {KEY: value}
    with notices(tmp_path, secrets, log) as engine, mail_server() as mails, webhook(200) as door:
        to = ("a@example.org", "b@example.org") if channel is Channel.EMAIL else ("", "")
        engine.ensure([Wanted(ALERT, 1, NoticeBody("x", {}, channel, *to, KEY))])
        end, pause = time.monotonic() + WITHIN_S, threading.Event()
        while why not in str(log):
            assert time.monotonic() < end, log
            pause.wait(0.01)
        address = f"smtp://127.0.0.1:{mails.port}" if channel is Channel.EMAIL else door.url
        secrets[KEY] = address.encode()
        until_delivered(engine)
    assert "hidden" not in str(log)


@contextmanager
def deaf() -> Iterator[str]:
    """The address of one who lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_who_does_not_answer_keeps_nobody_else_from_being_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead chat server must not be why nobody read the mail."""
    for_ever = Patience(3600.0, 3600.0)
    with webhook(200) as door, notices(tmp_path, {}, [], for_ever) as engine, deaf() as silent:
        for number in range(3):
            id = ThingId(ALERT.ref, f"deaf-{number}")
            engine.ensure([Wanted(id, 1, NoticeBody("x", {}, Channel.WEBHOOK, f"http://{silent}"))])
        engine.ensure([Wanted(ALERT, 1, NoticeBody("x", {}, Channel.WEBHOOK, door.url))])
        until_delivered(engine)


@pytest.mark.parametrize("channel", [Channel.WEBHOOK, Channel.EMAIL])
def test_an_attempt_ends_though_something_still_drips_in(channel: Channel) -> None:
    """Who sends a byte now and then is never silent for long, and would hold a thread for ever."""
    with deaf() as silent:
        scheme = "smtp" if channel is Channel.EMAIL else "http"
        body = NoticeBody("x", {}, channel, "a@example.org", "b@example.org", KEY)
        why = tell("id", time.time(), body, lambda _ref: f"{scheme}://{silent}".encode(), Patience(3600.0, 0.1))
    assert why.endswith("it did not answer in time")

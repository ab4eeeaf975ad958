"""Notices: told once, delivered when the webhook answers, over restarts too."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from webhook import webhook

from weyr.core.capability import Channel, NoticeBody, SecretBody, Wanted
from weyr.core.ref import Ref, ThingId
from weyr.core.seen import Absent, NoticeFacts, Present, Seen
from weyr.engines.local.notices import LocalNotices

ALERT = ThingId(Ref("digits", "budget", "month"), "2026-11-0.5")
TEXT = "budget/month: 50% of 200 USD is spent"


@contextmanager
def notices(folder: Path, log: list[tuple[str, str]] | None = None) -> Iterator[LocalNotices]:
    story = log if log is not None else []
    engine = LocalNotices(
        folder, time.time, lambda event, fields: story.append((event, str(dict(fields)))), retry_first_s=0.05
    )
    yield engine
    engine.close()


def until(is_so: Callable[[], bool], limit_s: float = 90) -> None:
    end, pause = time.monotonic() + limit_s, threading.Event()
    while not is_so():
        assert time.monotonic() < end, "it did not come true in time"
        pause.wait(0.01)


def is_delivered(seen: Seen) -> bool:
    return isinstance(seen, Present) and isinstance(seen.facts, NoticeFacts) and seen.facts.delivered


def alert(webhook: str = "", generation: int = 1) -> Wanted:
    channel = Channel.WEBHOOK if webhook else Channel.LOG
    return Wanted(ALERT, generation, NoticeBody(TEXT, {"period": "2026-11"}, channel, webhook))


def test_a_notice_without_a_webhook_goes_to_the_log_once(tmp_path: Path) -> None:
    """The loop restates what should stand; people are told once."""
    log: list[tuple[str, str]] = []
    with notices(tmp_path, log) as engine:
        for _ in range(3):
            assert engine.ensure([alert()]) == {}
        assert is_delivered(engine.observe([ALERT])[ALERT])
        assert engine.inventory() == [ALERT]
    assert [event for event, _ in log] == ["notice.sent"]


def test_a_webhook_is_called_once_with_all_that_is_known(tmp_path: Path) -> None:
    """The body's `text` is what chat programs show."""
    with webhook(204) as hook, notices(tmp_path) as engine:
        engine.ensure([alert(hook.url)])
        until(lambda: is_delivered(engine.observe([ALERT])[ALERT]))
        engine.ensure([alert(hook.url), alert(hook.url, generation=2)])
        assert engine.observe([ALERT])[ALERT].generation == 2  # type: ignore[union-attr]
    assert len(hook.got) == 1
    assert hook.got[0]["path"] == "/alerts?token=hidden"
    assert (hook.got[0]["text"], hook.got[0]["id"], hook.got[0]["key"]) == (TEXT, str(ALERT), str(ALERT))
    assert hook.got[0]["details"] == {"period": "2026-11"}


def test_it_is_retried_until_it_is_taken(tmp_path: Path) -> None:
    """A webhook that is down for a while gets the alert when it is back; a redirect is no delivery."""
    log: list[tuple[str, str]] = []
    with webhook(500, 500, 302, 200) as hook, notices(tmp_path, log) as engine:
        engine.ensure([alert(hook.url)])
        until(lambda: is_delivered(engine.observe([ALERT])[ALERT]))
    assert len(hook.got) == 4
    assert [event for event, _ in log] == [
        "notice.sent",
        "notice.undelivered",
        "notice.undelivered",
        "notice.delivered",
    ]
    assert "hidden" not in str(log)


def test_a_restart_delivers_what_is_left_and_repeats_nothing(tmp_path: Path) -> None:
    """The server may be killed between the alert and a webhook that answers."""
    with webhook(503) as hook:
        url = hook.url
        with notices(tmp_path) as engine:
            engine.ensure([alert(url)])
            until(lambda: len(hook.got) >= 1)
        hook.statuses = [200]
        with notices(tmp_path) as engine:
            until(lambda: is_delivered(engine.observe([ALERT])[ALERT]))
        before = len(hook.got)
        with notices(tmp_path) as engine:
            assert engine.ensure([alert(url)]) == {}
            assert is_delivered(engine.observe([ALERT])[ALERT])
        assert len(hook.got) == before


def test_nobody_listening_is_no_delivery_and_blocks_nobody(tmp_path: Path) -> None:
    """`ensure` returns at once; other notices are sent meanwhile."""
    other = ThingId(ALERT.ref, "2026-11-0.8")
    with webhook(200) as gone:
        address = gone.url
    with webhook(200) as hook, notices(tmp_path) as engine:
        engine.ensure([alert(address), Wanted(other, 1, NoticeBody(TEXT, {}, Channel.WEBHOOK, hook.url))])
        until(lambda: is_delivered(engine.observe([other])[other]))
        assert not is_delivered(engine.observe([ALERT])[ALERT])


def test_released_is_forgotten_and_never_sent(tmp_path: Path) -> None:
    """After `weyr down` no alert of the old stack arrives."""
    with webhook(500) as hook, notices(tmp_path) as engine:
        engine.ensure([alert(hook.url)])
        until(lambda: bool(hook.got))
        assert engine.release([ALERT]) == engine.release([ALERT]) == {}
        assert engine.observe([ALERT]) == {ALERT: Absent()}
        assert engine.inventory() == []
    with notices(tmp_path) as engine:
        assert engine.inventory() == []


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    """An address that is none, an older generation, another body."""
    with notices(tmp_path) as engine:
        for address in ("ftp://example.org/x", "example.org", "http://", "https://example.org:x/"):
            assert "webhook" in engine.ensure([alert(address)])[ALERT].reason
        engine.ensure([alert(generation=2)])
        assert "older" in engine.ensure([alert()])[ALERT].reason
        assert "secret" in engine.ensure([Wanted(ALERT, 3, SecretBody())])[ALERT].reason


def test_a_draft_left_by_a_kill_is_no_notice_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    """What was not accepted is asked for again; one bad file does not keep the others, or the server, down."""
    (tmp_path / ".half.json.tmp").write_text('{"id": ')
    for name, content in (("torn", '{"id": '), ("list", "[]"), ("other", '{"id": 7}')):
        (tmp_path / f"{name}.json").write_text(content)
    log: list[tuple[str, str]] = []
    with notices(tmp_path, log) as engine:
        assert engine.inventory() == []
        assert engine.ensure([alert()]) == {}
    assert [event for event, _ in log] == ["notice.unreadable"] * 3 + ["notice.sent"]

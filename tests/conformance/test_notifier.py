"""What may be relied on of every engine that tells people, beside what holds of every service."""

from collections.abc import Iterator

import pytest
from notifiers import LocalNotifier, Notifier

from weyr.core.capability import Channel, NoticeBody, Wanted
from weyr.core.seen import Absent


@pytest.fixture
def local() -> Iterator[LocalNotifier]:
    notifier = LocalNotifier()
    yield notifier
    notifier.close()


def test_people_are_told_once(notifier: Notifier) -> None:
    """The loop restates what should stand, and is restarted; an alert at every tick would not be read."""
    id = notifier.make()
    for generation in (1, 1, 2):
        notifier.make(generation=generation)
        notifier.restart()
    assert notifier.is_delivered(id), "there is nobody else to tell"
    assert notifier.logged() == 1


def test_it_is_delivered_only_once_the_webhook_took_it(notifier: Notifier) -> None:
    """A webhook that is down for a while gets the alert when it is back; the others do not wait for it."""
    notifier.answer(False)
    late, plain = notifier.id("late"), notifier.id("plain")
    assert notifier.ensure(notifier.want_called(late), notifier.want(plain)) == {}
    assert notifier.is_delivered(plain)
    assert not notifier.is_delivered(late)
    notifier.restart()
    assert not notifier.is_delivered(late)
    notifier.answer(True)
    notifier.until_delivered(late)
    assert notifier.logged() == 2


def test_a_notice_that_is_released_is_not_delivered_any_more(local: LocalNotifier) -> None:
    """After `weyr down` no alert of the old stack arrives, not after a restart either."""
    local.answer(False)
    id, after = local.id(), local.id("after")
    local.ensure(local.want_called(id))
    local.release(id)
    assert local.observe(id) == Absent()
    local.restart()
    local.answer(True)
    local.hook.got.clear()
    local.ensure(local.want_called(after))
    local.until_delivered(after)
    assert {called["id"] for called in local.hook.got} == {str(after)}


def test_a_webhook_is_called_once_by_one_that_answers(local: LocalNotifier) -> None:
    """With the thing's id as the key by which a receiver knows a repetition."""
    id = local.id()
    for generation in (1, 1, 2):
        assert local.ensure(local.want_called(id, generation)) == {}
        local.until_delivered(id)
        local.restart()
    assert [called["key"] for called in local.hook.got] == [str(id)]


@pytest.mark.parametrize(
    "address", ["ftp://firm/x?token=hidden", "firm/hidden", "http://?hidden", "https://firm:hidden/"]
)
def test_a_webhook_that_cannot_be_is_refused_alone(local: LocalNotifier, address: str) -> None:
    """One stack's mistake silences no other stack's alerts; the address is not in the answer, it may hold a token."""
    wrong, right = local.id("wrong"), local.id("right")
    refused = local.ensure(Wanted(wrong, 1, NoticeBody("x", {}, Channel.WEBHOOK, address)), local.want(right))
    assert list(refused) == [wrong]
    assert "hidden" not in refused[wrong].reason
    assert local.inventory() == [right]

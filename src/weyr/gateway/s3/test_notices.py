"""What a bucket's notifications are read as, and which events become rows."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from weyr.gateway.s3 import bucket_writes
from weyr.gateway.s3.blobs import BlobStore
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.index import Index
from weyr.gateway.s3.notices import EVENTS, ROOT, SETTING, Notice, checked_text, notices_of, tell
from weyr.gateway.s3.records import bucket_named
from weyr.gateway.s3.teller import bound
from weyr.gateway.s3.xml import parsed

RULE = "<FilterRule><Name>{}</Name><Value>{}</Value></FilterRule>"


def entry(events: str = "s3:ObjectCreated:*", rules: str = "", target: str = "arn:aws:sns:x::hook") -> str:
    filters = f"<Filter><S3Key>{rules}</S3Key></Filter>" if rules else ""
    topic = f"<Id>t</Id><Topic>{target}</Topic><Event>{events}</Event>{filters}"
    return f"<TopicConfiguration>{topic}</TopicConfiguration>"


def kept(inner: str) -> tuple[Notice, ...]:
    text = checked_text(parsed(f"<{ROOT}>{inner}</{ROOT}>".encode(), ROOT), ["hook"])
    return notices_of(text) if text else ()


def test_an_entry_is_about_its_events_and_keys() -> None:
    (notice,) = kept(entry(rules=RULE.format("prefix", "a/") + RULE.format("suffix", ".png")))
    about = [(event, notice.is_about(event, "a/b.png")) for event in EVENTS]
    assert all(is_about == event.startswith("ObjectCreated") for event, is_about in about)
    assert not notice.is_about("ObjectCreated:Put", "a/b.jpg")
    assert not notice.is_about("ObjectCreated:Put", "b.png")


def test_one_event_is_not_its_family() -> None:
    (notice,) = kept(entry("s3:ObjectCreated:Put"))
    assert notice.events == ("ObjectCreated:Put",)
    assert kept("") == ()


REFUSED = {
    "an unknown webhook": (entry(target="arn:aws:sns:x::other"), "InvalidArgument"),
    "an unknown event": (entry("s3:Replication:*"), "InvalidArgument"),
    "an unknown filter": (entry(rules=RULE.format("infix", "a")), "InvalidArgument"),
    "two prefixes": (entry(rules=RULE.format("prefix", "a") * 2), "InvalidArgument"),
    "no event": (entry().replace("<Event>s3:ObjectCreated:*</Event>", ""), "MalformedXML"),
    "a function": ("<CloudFunctionConfiguration/>", "NotImplemented"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_will_not_be_told_is_refused(case: str) -> None:
    inner, code = REFUSED[case]
    with pytest.raises(S3Error) as refused:
        kept(inner)
    assert refused.value.code == code


def test_events_for_a_webhook_that_never_answers_are_bounded(tmp_path: Path) -> None:
    """The newest stay: a disk that filled with events would stop the store itself."""

    async def play() -> list[int]:
        index = Index(tmp_path, BlobStore(tmp_path), asyncio.get_running_loop())
        index.start()
        await index.write(partial(bucket_writes.create, name="lake", owner="me", now_ms=0))
        text = f"<{ROOT}>{entry()}</{ROOT}>"
        await index.write(partial(bucket_writes.set_setting, name="lake", setting=SETTING, text=text))
        lake = bucket_named(index, "lake")
        for number in range(10):
            await index.write(
                partial(
                    tell,
                    bucket=lake,
                    event="ObjectCreated:Put",
                    key=str(number),
                    size=1,
                    etag="e",
                    version="",
                    at_ms=0,
                )
            )
        await bound(index, 4)
        left = [row[0] for row in index.all("SELECT id FROM events ORDER BY id")]
        index.close()
        return left

    assert asyncio.run(play()) == [7, 8, 9, 10]

"""A provider's list is read whole or not at all, whatever becomes of the connection. Served here as providers do."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from weyr.compose.price_download import Absent, Fetcher
from weyr.compose.price_sources import from_aws_service
from weyr.core.diagnostic import UserError

LIST = "".join(f"{number},0.0{number}\n" for number in range(2000)).encode()


@dataclass
class Answer:
    """What one request hears. `cut`: the connection ends after so many bytes of the body."""

    body: bytes = LIST
    cut: int | None = None
    status: int = 200
    heads: dict[str, str] = field(default_factory=dict)
    is_sized: bool = True


class Scripted(ThreadingHTTPServer):
    """Answers one request after the other as was said beforehand, and keeps what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked, self.waits = list(answers), list[dict[str, str]](), list[float]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/index.csv"

    def read(self) -> bytes:
        fetcher = Fetcher(wait=self.waits.append)
        return fetcher.whole(self.address, "".join, lambda _got, _size: None).encode()


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        answer = self.server.answers.pop(0)
        self.send_response(answer.status)
        for name, value in answer.heads.items():
            self.send_header(name, value)
        if answer.is_sized:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.cut])

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def serving() -> Iterator[list[Scripted]]:
    servers: list[Scripted] = []
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def served(serving: list[Scripted], *answers: Answer) -> Scripted:
    server = Scripted(*answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    serving.append(server)
    return server


V1, V2 = {"ETag": '"v1"'}, {"ETag": '"v2"'}


def rest(body: bytes, begins: int, heads: dict[str, str]) -> Answer:
    span = f"bytes {begins}-{len(body) - 1}/{len(body)}"
    return Answer(body[begins:], status=206, heads={**heads, "Content-Range": span})


def test_who_is_busy_is_asked_again_when_it_says(serving: list[Scripted]) -> None:
    """A provider that limits its callers says when to come back; none is hammered, and none is given up at once."""
    busy = Answer(b"", status=429, heads={"Retry-After": "7"})
    server = served(serving, busy, Answer(b"", status=503), Answer())

    assert server.read() == LIST
    assert server.waits == [7.0, 2.0]


def test_what_breaks_off_goes_on_where_it_stopped(serving: list[Scripted]) -> None:
    """Hundreds of megabytes are not begun again for one lost connection, and no line is read twice."""
    server = served(serving, Answer(cut=9_003, heads=V1), rest(LIST, 9_003, V1))

    assert server.read() == LIST
    assert (server.asked[1]["Range"], server.asked[1]["If-Range"]) == ("bytes=9003-", '"v1"')


@pytest.mark.parametrize("heads", [V1, {}, {"ETag": 'W/"v1"'}])
def test_two_versions_are_never_mixed(serving: list[Scripted], heads: dict[str, str]) -> None:
    """A list that is published anew while it is read is read from its beginning; so is one without a version."""
    new = LIST.replace(b"0.0", b"0.9")
    server = served(serving, Answer(cut=9_003, heads=heads), Answer(new, heads=V2), Answer(new, heads=V2))

    assert server.read() == new


def test_a_list_that_was_cut_short_is_not_taken(serving: list[Scripted]) -> None:
    """`5,0.0` is a price that nobody asks for: the end of a connection is no end of a list."""
    gone = served(serving, Answer(cut=9_003, heads=V1), *(Answer(b"", status=503) for _ in range(5)))
    with pytest.raises(UserError, match=r"503.*still hold"):
        gone.read()

    torn = {**V1, "Content-Range": f"bytes 9003-{len(LIST) - 1}/{len(LIST)}"}
    again = served(serving, Answer(cut=9_003, heads=V1), *(Answer(LIST, 0, 206, torn) for _ in range(4)))
    with pytest.raises(UserError, match=f"broke off after 9,003 of {len(LIST):,} bytes"):
        again.read()

    unsized = served(serving, Answer(cut=9_003, is_sized=False))
    with pytest.raises(UserError, match="in the middle of a line"):
        unsized.read()


def test_a_packed_list_is_unpacked_and_goes_on_too(serving: list[Scripted]) -> None:
    """A provider packs on the way, a mirror holds the packed file; both may break off."""
    packed = gzip.compress(LIST, mtime=0)
    on_the_way = {**V1, "Content-Encoding": "gzip"}
    way = served(serving, Answer(packed, cut=500, heads=on_the_way), rest(packed, 500, on_the_way))
    mirror = served(serving, Answer(packed))
    torn = served(serving, Answer(packed[:-9]))

    assert way.read() == mirror.read() == LIST
    with pytest.raises(UserError, match="gave no price list"):
        torn.read()


def test_what_is_not_there_is_asked_for_once(serving: list[Scripted]) -> None:
    """A mistyped region is no busy server."""
    server = served(serving, Answer(b"", status=403))
    with pytest.raises(Absent):
        server.read()
    assert server.waits == []


HEAD = """\
"FormatVersion","v1.0"
"Publication Date","2026-11-20T18:02:11Z"
SKU,TermType,StartingRange,EndingRange,PricePerUnit,Currency,To Location,usageType,operation,\
From Region Code,Region Code
"""


def test_one_refresh_of_s3_fills_classes_requests_and_what_leaves(serving: list[Scripted]) -> None:
    """AWS writes what leaves, and its deepest archive, into lists of their own, and S3's own has it for nothing."""
    s3 = f"""{HEAD}A,OnDemand,0,Inf,0.004,USD,,EU-TimedStorage-GIR-ByteHrs,,,eu-west-1
B,OnDemand,0,Inf,0.00001,USD,,EU-Requests-Tier4,S3-SIATransition,,eu-west-1
C,OnDemand,0,Inf,0.00002,USD,,EU-Requests-Tier4,S3-GIRTransition,,eu-west-1
D,OnDemand,0,Inf,0,USD,,EU-DataTransfer-Out-Bytes,,,eu-west-1
"""
    sent = f"""{HEAD}A,OnDemand,0,10240,0.09,USD,External,EU-DataTransfer-Out-Bytes,,eu-west-1,
A,OnDemand,10240,Inf,0.085,USD,External,EU-DataTransfer-Out-Bytes,,eu-west-1,
B,OnDemand,0,100,0,USD,External,Global-DataTransfer-Out-Bytes,,,
C,OnDemand,0,Inf,0.02,USD,US East (Ohio),EU-DataTransfer-Out-Bytes,,eu-west-1,
"""
    server = served(serving, Answer(s3.encode()), Answer(sent.encode()), Answer(b"", status=404))
    address = server.address.removesuffix("/index.csv")
    read = from_aws_service("s3", address, "eu-west-1", lambda _got, _size: None, Fetcher(wait=server.waits.append))

    found = {rate.name: rate for rate in read.rates}
    assert {name: float(rate.amount) for name, rate in found.items()} == {
        "glacier_instant_retrieval.storage": 0.004,
        "standard_infrequent_access.transition": 0.00001,
        "glacier_instant_retrieval.transition": 0.00002,
        "egress.internet": 0.09,
    }
    assert found["egress.internet"].free == 100
    assert read.left_out["there is no list AmazonS3GlacierDeepArchive of eu-west-1"] == 1

"""Which names are buckets: a table, since every client that knows no path style depends on it."""

import pytest

from weyr.gateway.s3.addresses import Domains, url_of
from weyr.gateway.s3.messages import Body, Request

DOMAINS = Domains(["S3.Example.com", "minio.localhost"], "eu-west-1")
HOSTS = {
    "no name": ("127.0.0.1:9000", ""),
    "an address of version 6": ("[::1]:9000", ""),
    "nothing": ("", ""),
    "the machine": ("localhost:9000", ""),
    "a bucket of the machine": ("lake.localhost:9000", "lake"),
    "what localstack's users have": ("lake.s3.localhost.localstack.cloud:4566", "lake"),
    "with its region": ("lake.s3.eu-west-1.localhost.localstack.cloud:4566", "lake"),
    "localstack's own name": ("localhost.localstack.cloud:4566", ""),
    "the name given": ("s3.example.com", ""),
    "a bucket of it": ("lake.s3.example.com", "lake"),
    "in capitals, as names may be written": ("Lake.S3.EXAMPLE.com:80", "lake"),
    "a bucket with dots": ("my.lake.s3.example.com", "my.lake"),
    "a name given that would be a bucket": ("minio.localhost", ""),
    "the longest name counts": ("lake.s3.localhost", "lake"),
    "nothing before the name": (".localhost", ""),
    "dots before the name": ("..localhost", "."),
    "what is no name": ("%2e%2e\x00/\xff.localhost", "%2e%2e\x00/\xff"),
    "somebody else's name": ("lakes3.example.com", ""),
}


class NoConnection:
    def write(self, data: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@pytest.mark.parametrize("what", HOSTS)
def test_a_name_is_a_bucket_only_before_a_known_domain(what: str) -> None:
    host, bucket = HOSTS[what]
    assert DOMAINS.bucket_of(host) == bucket


def test_the_bucket_moves_into_the_path_and_its_address_stays_in_style() -> None:
    """What was signed is kept, and links that an answer gives are of the same style."""
    body = Body(NoConnection(), is_awaited=False)
    sent = Request("GET", "/a%20b", "", {"host": "lake.s3.example.com"}, body)
    moved = DOMAINS.addressed(sent)
    assert (moved.path, moved.sent_path) == ("/lake/a%20b", "/a%20b")
    assert url_of(moved, "lake", "a b") == "http://lake.s3.example.com/a%20b"
    odd = DOMAINS.addressed(Request("GET", "/k", "", {"host": "a/b?c.localhost"}, body))
    assert odd.path == "/a%2Fb%3Fc/k", "no sign in a name leads anywhere else"
    plain = Request("GET", "/lake/a", "", {"host": "127.0.0.1:9000"}, body)
    assert DOMAINS.addressed(plain) is plain
    assert url_of(plain, "lake", "a") == "http://127.0.0.1:9000/lake/a"

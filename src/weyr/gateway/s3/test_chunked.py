"""aws-chunked bodies come apart the same however they are cut into pieces."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from weyr.gateway.s3.chunked import Decoder
from weyr.gateway.s3.errors import S3Error

BODY = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_pieces_of_any_size_give_the_same_payload(cuts: list[int]) -> None:
    """The network cuts where it likes, also within a chunk's head."""
    decoder, payload = Decoder(None), b""
    edges = [0, *sorted(cuts), len(BODY)]
    for start, end in itertools.pairwise(edges):
        payload += b"".join(decoder.feed(BODY[start:end]))

    assert payload == b"hello world"
    assert decoder.is_complete
    assert decoder.trailers == {"x-amz-checksum-crc32": "DUoRhQ=="}


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-5\r\nhello\r\n",
        b"5\r\nhello world\r\n",
        b"0\r\n\r\nmore",
        b"a" * 5000,
        b"0\r\nno colon\r\n",
        b"0\r\na:b\r\na:c\r\n",
    ],
)
def test_what_is_not_well_formed_is_refused(body: bytes) -> None:
    """A sender that lies about its framing gets an error, not a guess."""
    with pytest.raises(S3Error):
        Decoder(None).feed(body)


def test_a_body_that_stops_early_is_not_complete() -> None:
    """Whoever asks afterwards sees that something is missing."""
    decoder = Decoder(None)
    decoder.feed(BODY[:-2])
    assert not decoder.is_complete

"""An answer that takes long: whoever waits for it hears that it is coming."""

import asyncio
import json
import threading

from starlette.requests import Request
from starlette.responses import StreamingResponse

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.server.answers import patiently


def test_what_takes_long_sends_empty_lines_until_the_json_is_there() -> None:
    """A proof of a million lines takes longer than a verb waits for a server that says nothing."""
    heard = threading.Event()

    def work() -> dict[str, bool]:
        return {"was_heard": heard.wait(30)}

    async def asked() -> list[bytes]:
        response = await patiently(work, breath_s=0.01)(Request({"type": "http"}))
        assert isinstance(response, StreamingResponse)
        pieces = []
        async for piece in response.body_iterator:
            assert isinstance(piece, bytes)
            pieces.append(piece)
            heard.set()
        return pieces

    pieces = asyncio.run(asked())
    assert len(pieces) > 1
    assert json.loads(b"".join(pieces)) == {"was_heard": True}


def test_what_fails_after_a_while_is_told_all_the_same() -> None:
    """Whoever proves a damaged journal hears what is wrong with it, and not that the server is gone."""
    begun = threading.Event()

    def work() -> None:
        begun.wait(30)
        raise UserError(Diagnostic("The journal cannot be read", "Its third page is damaged."))

    async def asked() -> bytes:
        response = await patiently(work, breath_s=0.01)(Request({"type": "http"}))
        assert isinstance(response, StreamingResponse)
        told = b""
        async for piece in response.body_iterator:
            assert isinstance(piece, bytes)
            told += piece
            begun.set()
        return told

    told = json.loads(asyncio.run(asked()))
    assert "third page" in told["diagnostics"][0]["detail"]
    assert "error_code" in told, "whoever reads only the status sees that it is none of what was asked"


def test_what_fails_at_once_has_its_status() -> None:
    """A client that looks at the status alone must not take a refusal for a proof."""

    def work() -> None:
        raise UserError(Diagnostic("The journal cannot be read", "Its third page is damaged."))

    async def asked() -> int:
        return (await patiently(work)(Request({"type": "http"}))).status_code

    assert asyncio.run(asked()) == 400

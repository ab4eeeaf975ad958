"""An answer that takes long: whoever waits for it hears that it is coming."""

import asyncio
import json
import threading

from starlette.requests import Request
from starlette.responses import StreamingResponse

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

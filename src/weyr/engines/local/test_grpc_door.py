"""The list of endpoints that are asked over gRPC."""

import json
from pathlib import Path

from weyr.core.routes import RouteBody
from weyr.engines.local.grpc_door import GrpcDoor


def test_there_is_a_list_while_somebody_is_asked_over_grpc(tmp_path: Path) -> None:
    """Who has no such endpoint has no process for it, and one that no longer says so is no longer asked."""
    file = tmp_path / "grpc.json"
    door = GrpcDoor(file, lambda: "127.0.0.1:8001")
    plain, asked = RouteBody("shop/spam"), RouteBody("shop/digits", grpc=True)

    door.tell([plain])
    assert not file.exists()
    door.tell([plain, asked])
    assert json.loads(file.read_text()) == {"endpoints": ["shop/digits"]}
    assert (door.address(plain), door.address(asked)) == ("", "127.0.0.1:8001")
    # A server that comes back finds the list of the one before.
    GrpcDoor(file, str).tell([plain])
    assert not file.exists()

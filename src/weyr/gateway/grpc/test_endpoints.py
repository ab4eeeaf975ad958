"""Which endpoint a gRPC call means, and which may not be asked so."""

import json
import os
from pathlib import Path

import pytest

from weyr.gateway.grpc.endpoints import Endpoints
from weyr.gateway.grpc.translate import Malformed


def listed(file: Path, *names: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps({"endpoints": names}))
    os.replace(draft, file)


def test_the_only_endpoint_need_not_be_named(tmp_path: Path) -> None:
    """A client that is given an address and a model works as it is; the list is followed as it changes."""
    file = tmp_path / "grpc.json"
    endpoints = Endpoints(file=file)
    listed(file, "shop/digits")
    assert endpoints.named("") == "shop/digits"

    listed(file, "shop/digits", "shop/spam")
    with pytest.raises(Malformed, match="weyr-endpoint"):
        endpoints.named("")
    assert endpoints.named("/shop/spam/") == "shop/spam"

    file.unlink()
    with pytest.raises(LookupError):
        endpoints.named("shop/spam")


@pytest.mark.parametrize("said", ["shop/other", "../s3", "shop"])
def test_an_endpoint_is_asked_over_grpc_only_where_its_file_says_so(tmp_path: Path, said: str) -> None:
    """`grpc: true` opens the door for one endpoint, and not for its neighbours."""
    listed(tmp_path / "grpc.json", "shop/digits")
    with pytest.raises(LookupError, match="is asked over gRPC"):
        Endpoints(file=tmp_path / "grpc.json").named(said)

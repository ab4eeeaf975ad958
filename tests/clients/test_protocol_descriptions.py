"""Is every answer one that the protocol's own description knows, and ours? Judged by requests that schemathesis makes.

It makes what fits the description and what does not: no server error, no status, type or shape that is not described.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served_models import Identity, ask, served

from weyr.runtime.serve.model import Model
from weyr.runtime.serve.tensor import TensorSpec

PROTOCOL = Path(__file__).parent / "protocol" / "open_inference_rest.yaml"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12
NAMES = {"MODEL_NAME": "echo", "MODEL_VERSION": "1"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    table = Identity(
        (TensorSpec("width", "FP64", (-1,)), TensorSpec("kind", "BYTES", (-1,))),
        (TensorSpec("area", "FP64", (-1,)), TensorSpec("label", "BYTES", (-1,))),
    )
    with served([Model("echo", "1", Identity()), Model("table", "1", table)]) as port:
        yield port


def described(text: str) -> dict[str, Any]:
    """The protocol's description for one model: its paths write parameters as `${NAME}`, and any name would be 404."""
    plain: dict[str, Any] = yaml.safe_load(text.replace("${", "{"))
    for path in plain["paths"].values():
        for parameter in path.get("parameters", ()):
            parameter["schema"]["enum"] = [NAMES[parameter["name"]]]
    return plain


def judge(plain: dict[str, Any], port: int) -> int:
    """Tries every operation. Gives how many requests it made. Raises: schemathesis' failures, all of an operation's."""
    schema = schemathesis.openapi.from_dict(plain)
    made = 0
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # an error has it not, and fails the test
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not operation.body:
                continue

            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(operation.as_strategy(generation_mode=mode))
            def attempt(case: Any) -> None:
                nonlocal made
                made += 1
                if case.path_parameters:
                    # Bodies are made wrong here; a wrong name is no path of this description.
                    case.path_parameters = dict(NAMES)
                case.call_and_validate(base_url=f"http://127.0.0.1:{port}", checks=CHECKS, timeout=20)

            attempt()
    return made


def test_the_protocols_own_description_holds(port: int) -> None:
    """What the protocol's authors wrote down is the judge, not what we read into it."""
    assert judge(described(PROTOCOL.read_text()), port) > 2 * EXAMPLES


def test_our_own_description_holds_for_all_protocols(port: int) -> None:
    """Clients are generated from it: it must not promise too much."""
    plain = json.loads(ask(port, "/openapi.json")[1])
    assert {"/v2/models/echo/infer", "/v1/models/table:predict", "/predict/table"} <= set(plain["paths"])
    assert judge(plain, port) > 4 * EXAMPLES

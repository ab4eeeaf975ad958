"""The API's document is valid, complete, and the page made from it is whole."""

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from weyr.server.api import API
from weyr.server.openapi import document
from weyr.server.reference import page
from weyr.server.routes import Handler, starlette_routes
from weyr.server.schemas import SCHEMAS


def test_the_document_is_openapi() -> None:
    """Generators of clients take it as it is."""
    validate(document("0.1.0", "http://127.0.0.1:7780"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_an_example_that_fits(name: str) -> None:
    """An example that is wrong is worse than none: people paste it."""
    schema = {**SCHEMAS[name], "components": {"schemas": SCHEMAS}}

    Draft202012Validator(schema).validate(SCHEMAS[name]["examples"][0])


def test_handler_names_are_their_own() -> None:
    """They are operation ids and anchors of the page."""
    names = [route.handler for route in API]

    assert len(set(names)) == len(names)


def test_the_page_needs_nothing_from_elsewhere_and_every_link_in_it_leads_somewhere() -> None:
    """It is read on machines without a network."""
    html = page(document("0.1.0", "http://127.0.0.1:7780"))

    assert not re.search(r"(src|href)=[\"']https?:|@import|url\(", html)
    assert "<script" not in html
    anchors = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= anchors
    assert all(route.handler in anchors for route in API)


def test_a_route_without_a_handler_stops_the_server_from_starting() -> None:
    """A route that the reference promises and nobody answers is found at start, not by a user."""
    handlers: dict[str, Handler] = {}

    with pytest.raises(LookupError, match="healthz"):
        starlette_routes(API, handlers)

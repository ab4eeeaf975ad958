"""Who answers side by side: variants, a shadow, several models in one replica, and whoever stands in for them."""

from endpoint_farm import MODEL, Farm, alias, endpoint, version

from weyr.core.capability import TaskBody
from weyr.core.decision import Need, Phase
from weyr.core.ref import Ref
from weyr.core.routes import RouteBody
from weyr.kinds.ml.endpoint import KIND
from weyr.kinds.ml.endpoint.look import ROUTE


def test_variants_share_the_requests_and_keep_replicas_of_their_own() -> None:
    """Two models are compared on the same traffic; each is updated by itself."""
    variants = {"a": {"model": "digits@production", "weight": 3}, "b": {"model": "digits@beta", "weight": 1}}
    farm = Farm(endpoint(model=None, variants=variants, scale={"min": 4, "max": 4}, sticky="caller"))
    farm.model = {**version(1), **alias("beta", 7)}
    decision = farm.step(6)

    assert farm.weights == {"a": 7500, "b": 2500}
    assert decision.conditions[0].message == "a (version 1) on 3 replicas, b (version 7) on 1 replica"
    farm.model = {**version(2), **alias("beta", 7)}
    farm.step(20)
    assert farm.weights == {"a": 7500, "b": 2500}
    assert len(farm.replicas) == 4


def test_a_variant_without_a_version_keeps_nobody_from_answering() -> None:
    """The other one has all the requests, and it is said what is missing."""
    variants = {"a": "digits@production", "b": "digits@beta"}
    farm = Farm(endpoint(model=None, variants=variants))
    decision = farm.step(6)

    assert farm.phase() is Phase.READY
    assert decision.conditions[0].message.endswith("b waits for model/digits@beta: no version has that alias")


def test_going_over_to_variants_and_back_leaves_nobody_unanswered() -> None:
    """The file is edited under traffic: what answered goes when what is to answer does."""
    farm = Farm(endpoint(scale={"min": 2, "max": 2}))
    farm.model = {**version(1), **alias("beta", 2)}
    farm.step(6)
    for fields in ({"model": None, "variants": {"a": "digits", "b": "digits@beta"}}, {"model": "digits"}):
        farm.spec = endpoint(scale={"min": 2, "max": 2}, **fields)
        for _ in range(12):
            farm.step()
            assert farm.wanted_route
    assert (farm.weights, len(farm.replicas)) == ({"1": 10000}, 2)


def test_a_shadow_has_replicas_and_no_share() -> None:
    """It gets copies, and its answers go nowhere."""
    farm = Farm(endpoint(shadow={"model": "digits@beta", "sample": "10%"}))
    farm.model = {**version(1), **alias("beta", 2)}
    farm.step(6)
    body = farm.history.things[ROUTE].body
    assert isinstance(body, RouteBody)

    assert farm.weights == {"1": 10000, "shadow": 0}
    assert farm.step().outputs["shadow"] == "version 2 on replica 2"
    assert KIND.usage is not None
    assert {usage.part for usage in KIND.usage(endpoint(), farm.history.things)} == {"1", "2"}
    assert [(shadow.version, shadow.share) for shadow in body.traffic.shadows] == [("shadow", 0.1)]
    farm.spec = endpoint()
    farm.step(4)
    assert farm.weights == {"1": 10000}


def test_several_models_are_served_by_each_replica() -> None:
    """Small models share what one process takes."""
    farm = Farm(endpoint(model=None, models=["digits", "digits@beta"]))
    farm.model = {**version(1), **alias("beta", 2)}
    farm.step(6)
    body = farm.history.things["1"].body

    assert farm.phase() is Phase.READY
    assert isinstance(body, TaskBody)
    assert body.argv.count("--source") == 2


def test_fallbacks_reach_the_plane_as_they_are_written() -> None:
    """Another endpoint by its route, a server by its address, with what it costs and may cost."""
    server = {
        "url": "https://llm.example/v1", "model": "small", "key_file": "keys/llm", "prompt_price": "0.15 USD",
        "budget": "5 USD", "per": "day", "after": "2s",
    }  # fmt: skip
    farm = Farm(endpoint(fallback=["spare", server]))
    farm.step(4)
    body = farm.history.things[ROUTE].body
    assert isinstance(body, RouteBody)
    spare, far = body.traffic.fallbacks

    assert (spare.route, spare.url) == ("digits/spare", "")
    assert (far.name, far.url, far.model, far.key_file) == (
        "llm.example", "https://llm.example/v1", "small", "/stack/keys/llm",
    )  # fmt: skip
    assert (far.prompt_micros, far.budget_micros, far.budget_per, far.first_byte_s) == (150_000, 5_000_000, "day", 2.0)


def test_a_fallback_whose_secret_has_no_value_is_left_out_and_named() -> None:
    """The endpoint's own replicas serve without it; once the secret is set the chain is whole, by another routing."""
    secret = Ref("digits", "secret", "llm")
    farm = Farm(endpoint(fallback=["spare", {"url": "https://llm.example/v1", "model": "m", "secret": "llm"}]))
    model = {MODEL: Need(Phase.READY, farm.model)}
    farm.needs = {**model, secret: Need(Phase.WAITING)}
    farm.step(4)
    told = farm.history.things[ROUTE]

    assert farm.phase() is Phase.READY
    assert "secret/llm is left out" in farm.step().conditions[0].message
    assert isinstance(told.body, RouteBody)
    assert [fallback.name for fallback in told.body.traffic.fallbacks] == ["spare"]
    for phase in (Phase.READY, Phase.UNKNOWN):
        farm.needs = {**model, secret: Need(phase)}
        farm.step(2)
        now = farm.history.things[ROUTE]
        assert now.generation > told.generation
        assert isinstance(now.body, RouteBody)
        assert [fallback.key_file for fallback in now.body.traffic.fallbacks] == ["", "digits:secret/llm"]

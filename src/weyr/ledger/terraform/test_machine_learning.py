"""What no other tool prices: SageMaker, Bedrock, Batch, Vertex and TPUs, by hand from the shipped list prices."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.lines import Estimate
from weyr.ledger.terraform.machine_learning import model_id
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

DAY = date(2025, 6, 1)
HOURS = 730


def priced(*resources: Resource, usage: dict[str, Any] | None = None) -> Estimate:
    return estimate(Resources(resources), Usage(usage or {}), Catalogue.shipped(), DAY)


def made(address: str, region: str = "us-east-1", **values: Any) -> Resource:
    return Resource(address, address.split(".")[0], values, region)


def endpoint(**variant: Any) -> tuple[Resource, Resource]:
    configuration = made("aws_sagemaker_endpoint_configuration.c", production_variants=[variant])
    of = Unknown(("aws_sagemaker_endpoint_configuration.c",))
    return configuration, made("aws_sagemaker_endpoint.e", endpoint_config_name=of)


def test_an_endpoint_costs_the_machines_of_its_configuration() -> None:
    """Two ml.g5.xlarge at 1.41, each with 50 GB at 0.14; the configuration alone costs nothing."""
    result = priced(*endpoint(instance_type="ml.g5.xlarge", initial_instance_count=2, volume_size_in_gb=50))
    assert result.total == 2 * HOURS * Decimal("1.41") + 100 * Decimal("0.14")
    assert result.free == (("aws_sagemaker_endpoint_configuration.c", "aws_sagemaker_endpoint_configuration"),)


def test_a_serverless_endpoint_costs_what_it_computes() -> None:
    """A million calls of 200 ms at 4 GB: 800,000 GB-seconds at 0.00002."""
    result = priced(
        *endpoint(serverless_config=[{"memory_size_in_mb": 4096, "max_concurrency": 5}]),
        usage={"aws_sagemaker_endpoint.e": {"monthly_requests": 1_000_000, "request_duration_ms": 200}},
    )
    assert result.total == 16


def test_a_notebook_costs_its_hours_and_its_disk() -> None:
    """100 hours of ml.t3.medium at 0.05, and 20 GB at 0.14."""
    notebook = made("aws_sagemaker_notebook_instance.n", instance_type="ml.t3.medium", volume_size=20)
    usage = {"aws_sagemaker_notebook_instance.n": {"monthly_hrs": 100}}
    assert priced(notebook, usage=usage).total == Decimal("5") + Decimal("2.80")


def test_bedrock_costs_units_by_the_hour_and_tokens_by_the_thousand() -> None:
    """Two units of Claude 2 for a month at 63; and an agent's tokens of Claude 3 Haiku."""
    model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2"
    throughput = made(
        "aws_bedrock_provisioned_model_throughput.t", model_arn=model, model_units=2, commitment_duration="OneMonth"
    )
    assert priced(throughput).total == 2 * HOURS * 63
    agent = made("aws_bedrockagent_agent.a", foundation_model="anthropic.claude-3-haiku-20240307-v1:0")
    usage = {"aws_bedrockagent_agent.a": {"monthly_input_tokens": 10_000_000, "monthly_output_tokens": 1_000_000}}
    assert priced(agent, usage=usage).total == Decimal("2.50") + Decimal("1.25")


@pytest.mark.parametrize(
    "name",
    [
        "anthropic.claude-v2:1",
        "us.anthropic.claude-v2:1",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1",
    ],
)
def test_a_model_has_one_name(name: str) -> None:
    """Profiles of regions and ARNs mean the same model, and the same price."""
    assert model_id(name) == "anthropic.claude-v2:1"


def test_batch_costs_its_machines_and_is_unknown_where_none_are_kept() -> None:
    """20 vCPUs of m5.xlarge are five machines at 0.192; with none kept it depends on usage, and 400 vCPU-hours are
    100 of the machine's."""
    kept = {"type": "EC2", "instance_type": ["m5.xlarge"], "desired_vcpus": 20}
    assert priced(made("aws_batch_compute_environment.b", compute_resources=[kept])).total == 5 * HOURS * Decimal(
        "0.192"
    )
    idle = made("aws_batch_compute_environment.b", compute_resources=[{**kept, "desired_vcpus": 0}])
    ((_, part),) = priced(idle).priced
    assert [line.cost for line in part.lines] == [None]
    usage = {"aws_batch_compute_environment.b": {"monthly_vcpu_hours": 400}}
    assert priced(idle, usage=usage).total == 100 * Decimal("0.192")


@pytest.mark.parametrize(
    ("values", "cost"),
    [
        ({"accelerator_type": "v5litepod-8", "zone": "us-central1-a"}, 8 * Decimal("1.2")),
        ({"accelerator_type": "v3-8", "zone": "us-central1-a"}, 4 * Decimal("2")),
        ({"accelerator_type": "v5p-16", "zone": "us-east5-a"}, 8 * Decimal("4.2")),
        ({"accelerator_config": [{"type": "V6E", "topology": "2x4"}], "zone": "us-east1-d"}, 8 * Decimal("2.7")),
        (
            {"accelerator_type": "v6e-4", "zone": "us-central1-a", "scheduling_config": [{"spot": True}]},
            4 * Decimal("0.54421"),
        ),
    ],
)
def test_a_tpu_costs_its_chips(values: dict[str, Any], cost: Decimal) -> None:
    """Names count cores up to v5p and chips after it; a topology counts chips."""
    assert priced(made("google_tpu_v2_vm.t", "", **values)).total == HOURS * cost


def test_vertex_costs_its_nodes_and_their_accelerators() -> None:
    """Two n1-standard-4 at 0.219 with a T4 each, 15 % over Compute Engine's 0.35."""
    spec = {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    deployed = made(
        "google_vertex_ai_endpoint_with_model_garden_deployment.d", "", location="us-central1",
        deploy_config=[{"dedicated_resources": [{"machine_spec": [spec], "min_replica_count": 2}]}],
    )  # fmt: skip
    assert priced(deployed).total == 2 * HOURS * (Decimal("0.219") + Decimal("0.4025"))


def test_what_nobody_could_look_up_is_named_and_not_priced() -> None:
    """A figure from memory is worse than none: whoever reads the total would rely on it."""
    store = made("google_vertex_ai_featurestore.f", "us-central1", online_serving_config=[{"fixed_node_count": 3}])
    (named,) = priced(store).unpriced
    assert named.why == "no price is known for vertex/feature_node in us-central1"


def test_an_endpoint_without_a_model_costs_nothing_until_its_usage_says_what_runs() -> None:
    """Models are mostly deployed to Vertex by other means than Terraform."""
    alone = made("google_vertex_ai_endpoint.e", "", location="us-central1")
    assert priced(alone).free == (("google_vertex_ai_endpoint.e", "google_vertex_ai_endpoint"),)
    usage = {"google_vertex_ai_endpoint.e": {"machine_type": "n1-standard-2", "replicas": 2}}
    assert priced(alone, usage=usage).total == 2 * HOURS * Decimal("0.1095")

"""Are a plan's JSON and a usage file read as who wrote them meant them?"""

import json
from typing import Any

import pytest

from weyr.core.diagnostic import UserError
from weyr.importing.terraform.planned import read_plan
from weyr.importing.terraform.usage_file import read_usage
from weyr.ledger.terraform.resources import Resource, Resources


def by_address(resources: Resources) -> dict[str, Resource]:
    return {each.address: each for each in resources}


def plan() -> dict[str, Any]:
    template = {"address": "aws_launch_template.t", "type": "aws_launch_template", "name": "t", "mode": "managed",
                "values": {"instance_type": "m5.large"}}  # fmt: skip
    group = {"address": "module.m.aws_autoscaling_group.g[0]", "type": "aws_autoscaling_group", "name": "g",
             "mode": "managed", "values": {"min_size": 2, "launch_template": [{"version": "1"}]}}  # fmt: skip
    reads = {"references": ["var.template"]}
    return {
        "format_version": "1.2",
        "variables": {"region": {"value": "eu-west-2"}},
        "planned_values": {
            "root_module": {
                "resources": [template],
                "child_modules": [{"address": "module.m", "resources": [group]}],
            }
        },
        "resource_changes": [
            {"address": group["address"], "change": {"after_unknown": {"launch_template": [{"id": True}]}}}
        ],
        "configuration": {
            "provider_config": {"aws": {"expressions": {"region": {"references": ["var.region"]}}}},
            "root_module": {
                "resources": [{"address": "aws_launch_template.t", "provider_config_key": "aws"}],
                "module_calls": {
                    "m": {
                        "expressions": {"template": {"references": ["aws_launch_template.t.id"]}},
                        "module": {
                            "resources": [
                                {
                                    "address": "aws_autoscaling_group.g",
                                    "provider_config_key": "aws",
                                    "expressions": {"launch_template": [{"id": reads}]},
                                }
                            ]
                        },
                    }
                },
            },
        },
    }


def test_a_plan_gives_its_values_its_regions_and_what_refers_to_what() -> None:
    """`terraform show -json`: unknown ids are followed through the module's variables to the resource they mean."""
    found = read_plan(json.dumps(plan()), "plan.json")
    group = by_address(found)["module.m.aws_autoscaling_group.g[0]"]
    template = found.behind(group.block("launch_template").values["id"], ["aws_launch_template"])
    assert template is not None
    assert (template.address, template.region, group.region) == ("aws_launch_template.t", "eu-west-2", "eu-west-2")
    assert group.number("min_size") == 2


def test_a_text_that_is_known_remembers_what_it_was_taken_from() -> None:
    """A share names its account; whether another account has the same name does not matter."""
    one, other = ({"address": f"azurerm_storage_account.{name}", "type": "azurerm_storage_account", "name": name,
                   "mode": "managed", "values": {"name": "lake"}} for name in ("a", "b"))  # fmt: skip
    share = {"address": "azurerm_storage_share.s", "type": "azurerm_storage_share", "name": "s", "mode": "managed",
             "values": {"storage_account_name": "lake"}}  # fmt: skip
    taken = {"storage_account_name": {"references": ["azurerm_storage_account.b.name", "azurerm_storage_account.b"]}}
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": [one, other, share]}},
        "configuration": {"root_module": {"resources": [{"address": share["address"], "expressions": taken}]}},
    }
    found = read_plan(json.dumps(document), "plan.json")
    named = by_address(found)["azurerm_storage_share.s"].values["storage_account_name"]
    assert named == "lake"
    assert [each.address for each in found.meant_by(named)] == ["azurerm_storage_account.b"]


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}'])
def test_json_that_is_no_plan_is_refused(text: str) -> None:
    """It says how a plan is made."""
    with pytest.raises(UserError, match="terraform show -json"):
        read_plan(text, "plan.json")


def test_a_usage_file_is_checked() -> None:
    """A section that is not read would be usage that is not counted."""
    usage = read_usage("version: 0.1\nresource_usage:\n  a.b:\n    x: 0.1\n", "u.yml")
    assert str(usage.by_address["a.b"]["x"]) == "0.1"
    with pytest.raises(UserError, match="resource_usages"):
        read_usage("resource_usages: {}", "u.yml")
    with pytest.raises(UserError, match="no mapping"):
        read_usage("resource_usage:\n  a.b: 3\n", "u.yml")

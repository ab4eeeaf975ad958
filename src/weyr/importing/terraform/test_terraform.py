"""Is Terraform read as Terraform means it? Small configurations, and the resources they make."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from weyr.core.diagnostic import UserError
from weyr.importing.terraform.evaluate import Scope, evaluate
from weyr.importing.terraform.modules import read_folder
from weyr.importing.terraform.parse import parse
from weyr.importing.terraform.variables import value_of
from weyr.ledger.terraform.resources import Resource, Resources, Unknown


class Folder:
    """A configuration in memory: texts by path."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.held = texts

    def texts(self, folder: str) -> Mapping[str, str] | None:
        prefix = "" if folder == "." else f"{folder}/"
        inside = {path: text for path, text in self.held.items() if path.rpartition("/")[0] == prefix.rstrip("/")}
        found = {path: text for path, text in inside.items() if path.endswith((".tf", ".tf.json"))}
        return found or None

    def read(self, path: str) -> str | None:
        return self.held.get(path)

    def downloaded(self, module: str) -> str | None:
        return {"far": ".terraform/modules/far"}.get(module)


def read(text: str, inputs: Mapping[str, Any] | None = None, region: str = "", **others: str) -> Resources:
    files = {path.replace("__", "/") + ".tf": content for path, content in others.items()}
    return read_folder(Folder({"main.tf": text, **files}), inputs or {}, region)


def by_address(resources: Resources) -> dict[str, Resource]:
    return {each.address: each for each in resources}


class _Nobody:
    def value(self, path: tuple[str, ...]) -> tuple[Any, int]:
        return Unknown(), len(path)

    def read(self, path: str) -> str | None:
        return None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 == 9 && !false", True),
        ("7 / 2", "3.5"),
        ('"a${1 + 1}b"', "a2b"),
        ('"$${not} %%{this}"', "${not} %{this}"),
        ('true ? "yes" : "no"', "yes"),
        ("[for x in [1, 2, 3] : x * 2 if x > 1]", [4, 6]),
        ("{for k, v in {a = 1} : upper(k) => v}", {"A": 1}),
        ('{for x in ["a", "b", "a"] : x => 1...}', {"a": [1, 1], "b": [1]}),
        ("[{n = 1}, {n = 2}][*].n", [1, 2]),
        ('merge({a = 1}, {b = 2})["b"]', 2),
        ('try(jsondecode("no"), "other")', "other"),
        ('format("%s-%03d", "x", 7)', "x-007"),
        ('cidrsubnet("10.0.0.0/16", 8, 2)', "10.0.2.0/24"),
        ('coalesce("", null, "c")', "c"),
        ('"a %{ if true ~} b %{ else } c %{ endif }"', "(known after apply)"),
        ("flatten([[1], [2, [3]]])", [1, 2, 3]),
        ('lookup({a = 1}, "b", 9)', 9),
        ('element(["a", "b"], 3)', "b"),
        ('join(",", sort(["b", "a"]))', "a,b"),
        ("<<-EOT\n    one\n      two\n    EOT\n", "one\n  two\n"),
    ],
)
def test_an_expression_has_the_value_that_terraform_gives_it(expression: str, value: Any) -> None:
    """Counts and sizes come out of expressions; one read wrongly is a bill that is wrong."""
    tree = parse(f"x = {expression}\n", "t.tf").attributes["x"]
    found = evaluate(tree, Scope(_Nobody()))
    assert found == value or str(found) == value


def test_count_and_for_each_make_their_instances() -> None:
    """The addresses are Terraform's own, so that a usage file finds them."""
    found = by_address(
        read(
            """
            variable "n" { default = 2 }
            locals { types = { small = "t3.micro", large = "m5.large" } }
            resource "aws_instance" "a" {
              count         = var.n
              instance_type = "t3.micro"
              tags          = { Name = "a-${count.index}" }
            }
            resource "aws_instance" "b" {
              for_each      = local.types
              instance_type = each.value
            }
            """,
            {"n": 3},
        )
    )
    assert list(found) == ["aws_instance.a[0]", "aws_instance.a[1]", "aws_instance.a[2]", 'aws_instance.b["small"]',
                           'aws_instance.b["large"]']  # fmt: skip
    assert found["aws_instance.a[2]"].values["tags"] == {"Name": "a-2"}
    assert found['aws_instance.b["large"]'].values["instance_type"] == "m5.large"


def test_a_dynamic_block_is_a_block_for_each() -> None:
    """Disks are often written so; none of them may be lost."""
    (instance,) = read(
        """
        resource "aws_instance" "a" {
          dynamic "ebs_block_device" {
            for_each = [10, 20]
            content {
              device_name = "d${ebs_block_device.key}"
              volume_size = ebs_block_device.value
            }
          }
        }
        """
    )
    assert [each.values for each in instance.blocks("ebs_block_device")] == [
        {"device_name": "d0", "volume_size": 10},
        {"device_name": "d1", "volume_size": 20},
    ]


def test_json_says_the_same_as_the_native_syntax() -> None:
    """What generates Terraform writes it so."""
    document = {
        "provider": {"aws": {"region": "eu-west-1"}},
        "variable": {"n": {"default": 2}},
        "resource": {
            "aws_instance": {
                "a": {
                    "count": "${var.n}",
                    "instance_type": "t3.${count.index == 0 ? \"micro\" : \"small\"}",
                    "root_block_device": [{"volume_size": 20}],
                    "dynamic": {"ebs_block_device": {"for_each": [1, 2], "content": {
                        "volume_size": "${ebs_block_device.value}"}}},
                }
            }
        },
    }  # fmt: skip
    found = by_address(read_folder(Folder({"main.tf.json": json.dumps(document)}), {}))
    second = found["aws_instance.a[1]"]
    assert (second.values["instance_type"], second.region) == ("t3.small", "eu-west-1")
    assert second.block("root_block_device").number("volume_size") == 20
    assert [each.values for each in second.blocks("ebs_block_device")] == [{"volume_size": 1}, {"volume_size": 2}]
    with pytest.raises(UserError, match=r"bad\.tf\.json"):
        read_folder(Folder({"bad.tf.json": "{"}), {})


def test_modules_are_entered_with_their_inputs_providers_and_outputs() -> None:
    """A module's resources have its address and the region of the provider it is called with."""
    found = by_address(
        read(
            """
            provider "aws" { region = "us-east-1" }
            provider "aws" {
              alias  = "west"
              region = "us-west-2"
            }
            module "q" {
              count     = 2
              source    = "./inner"
              size      = 5 + count.index
              providers = { aws = aws.west }
            }
            resource "aws_ebs_volume" "v" { size = module.q[1].doubled }
            """,
            inner__main="""
            variable "size" {}
            resource "aws_ebs_volume" "v" { size = var.size }
            output "doubled" { value = aws_ebs_volume.v.size * 2 }
            """,
        )
    )
    assert found["module.q[0].aws_ebs_volume.v"].values == {"size": 5}
    assert found["module.q[0].aws_ebs_volume.v"].region == "us-west-2"
    assert found["aws_ebs_volume.v"].values == {"size": 12}
    assert found["aws_ebs_volume.v"].region == "us-east-1"


def test_a_reference_is_kept_although_its_value_is_not_known() -> None:
    """A group finds its template by it, also among several of one name and by the older star."""
    found = read(
        """
        resource "aws_launch_configuration" "c" { count = 2 }
        resource "aws_autoscaling_group" "g" {
          count                = 2
          launch_configuration = aws_launch_configuration.c.*.id[count.index]
        }
        resource "aws_dynamodb_table" "t" { name = "same" }
        resource "aws_dynamodb_table" "u" { name = "same" }
        resource "aws_appautoscaling_target" "a" { resource_id = "table/${aws_dynamodb_table.u.name}" }
        """
    )
    held = by_address(found)
    behind = found.behind(
        held["aws_autoscaling_group.g[1]"].values["launch_configuration"], ["aws_launch_configuration"]
    )
    assert behind is held["aws_launch_configuration.c[1]"]
    target = held["aws_appautoscaling_target.a"].values["resource_id"]
    assert target == "table/same"
    assert found.behind(target, ["aws_dynamodb_table"]) is held["aws_dynamodb_table.u"]


def test_resources_that_name_each_other_are_read() -> None:
    """Two security groups do; each argument waits only for what it asks for."""
    found = by_address(
        read(
            """
            resource "x_a" "a" {
              name = "a"
              of   = x_b.b.id
            }
            resource "x_b" "b" {
              of = x_a.a.name
            }
            """
        )
    )
    assert found["x_b.b"].values["of"] == "a"
    assert found["x_a.a"].values["of"] == Unknown(("x_b.b",))


def test_a_template_beside_the_configuration_is_filled_in() -> None:
    """Instance types sometimes come out of files."""
    files = {
        "main.tf": """
        resource "aws_instance" "a" { instance_type = jsondecode(templatefile("t.json", { size = "large" })).type }
        resource "aws_instance" "b" { instance_type = file("missing") }
        """,
        "t.json": '{"type": "m5.${size}"}',
    }
    found = by_address(read_folder(Folder(files), {}))
    assert found["aws_instance.a"].values["instance_type"] == "m5.large"
    assert found["aws_instance.b"].values["instance_type"] == Unknown()


def test_optional_attributes_have_their_defaults() -> None:
    """Modules write their inputs so."""
    (volume,) = read(
        """
        variable "v" { type = list(object({ size = optional(number, 30), kind = string })) }
        resource "aws_ebs_volume" "v" { size = var.v[0].size }
        """,
        {"v": [{"kind": "gp3"}]},
    )
    assert volume.values["size"] == 30


def test_what_no_file_says_is_a_note_and_not_passed_over() -> None:
    """A module from a registry that was never downloaded, and a count that only the apply knows."""
    found = read(
        """
        data "aws_ami_ids" "x" {}
        module "far" { source = "somebody/something/aws" }
        resource "aws_instance" "a" { count = length(data.aws_ami_ids.x.ids) }
        """
    )
    assert [each.address for each in found] == ["aws_instance.a[0]"]
    assert any("module.far" in note for note in found.notes)
    assert any("count" in note for note in found.notes)


def test_what_we_cannot_compute_is_told_and_the_others_are_priced() -> None:
    """Terraform may know better: one argument must not stop the whole estimate."""
    found = read('resource "x_y" "z" {\n  a = sort(1)\n  b = 2\n}\nresource "x_y" "w" { count = "many" }')
    assert by_address(found)["x_y.z"].values == {"a": Unknown(), "b": 2}
    assert len([note for note in found.notes if "sort(1)" in note or "many" in note]) == 2


def test_a_downloaded_module_is_read_where_it_lies() -> None:
    """After `terraform init` the whole configuration is on disk."""
    files = {
        "main.tf": 'module "far" { source = "somebody/something/aws" }',
        ".terraform/modules/far/main.tf": 'resource "aws_sqs_queue" "q" {}',
    }
    assert [each.address for each in read_folder(Folder(files), {})] == ["module.far.aws_sqs_queue.q"]


def test_every_problem_is_told_at_once_with_its_place() -> None:
    """One run shows all that is to mend."""
    with pytest.raises(UserError) as caught:
        read('resource "x_y" "z" {\n  a = var.gone\n  b = local.gone\n}\n')
    assert len(caught.value.diagnostics) == 2
    with pytest.raises(UserError, match=r"main\.tf:2"):
        read('resource "x_y" "z" {\n  a = [1,,2]\n}\n')
    with pytest.raises(UserError, match="10,001"):
        read('resource "x_y" "z" { count = 10001 }')
    with pytest.raises(UserError, match="No such variable"):
        read('variable "size" {}', {"sise": 1})


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 500 + "1" + ")" * 500,
        "x = " + "!" * 5000 + "true",
        "a {\n" * 500 + "}\n" * 500,
        "x = " + '"${' * 100,
        "x = [",
        'x = "',
        "x = <<EOT\n",
        'x = "\\u12"',
        "x = 1e999999999999",
        "\x00",
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_its_place(text: str) -> None:
    """However deep or broken, it is told as the user's to mend, and not as a bug of ours."""
    with pytest.raises(UserError, match=r"bad\.tf:"):
        parse(text, "bad.tf")


def test_a_module_within_itself_is_refused() -> None:
    """It would never end."""
    with pytest.raises(UserError, match="within itself"):
        read('module "a" { source = "./" }')


def test_a_region_given_by_hand_goes_before_the_providers() -> None:
    """The same stack, priced elsewhere."""
    (queue,) = read('provider "aws" {\n  region = "us-east-1"\n}\nresource "aws_sqs_queue" "q" {}', region="eu-west-1")
    assert queue.region == "eu-west-1"


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("true", True), ('["a"]', ["a"]), ("us-east-1", "us-east-1"), ("", "")]
)
def test_a_variable_from_the_command_line_is_a_value_or_text(text: str, value: Any) -> None:
    """As Terraform takes `-var`."""
    assert value_of(text) == value

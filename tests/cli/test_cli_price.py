"""`weyr price terraform` as it is typed."""

import json
from pathlib import Path

from cli_shell import Shell

ROOT = Path(__file__).parents[2]

STACK = """
provider "aws" {
  region = "us-east-1"
}
variable "clusters" { default = 1 }
resource "aws_eks_cluster" "c" {
  count = var.clusters
}
resource "aws_sqs_queue" "q" {}
resource "aws_iam_role" "r" {}
resource "aws_unheard_of" "u" {}
"""
USAGE = "version: 0.1\nresource_usage:\n  aws_sqs_queue.q:\n    monthly_requests: 2000000\n"


def test_a_folder_is_priced_without_credentials_and_what_is_not_priced_is_named(shell: Shell) -> None:
    """EKS is 0.10 an hour: 2 clusters for 730 hours; 2 million requests to SQS are 0.80."""
    (shell.folder / "main.tf").write_text(STACK)
    (shell.folder / "usage.yml").write_text(USAGE)
    said = shell.weyr("price", "terraform", ".", "--usage", "usage.yml", "--var", "clusters=2")
    assert said.status == 0
    assert said.out.splitlines()[-1].split() == ["total", "$146.80"]
    assert "aws_unheard_of.u" in said.err
    assert "5 resources: 3 priced, 1 free, 1 not priced." in said.err


def test_a_program_gets_infracosts_shape(shell: Shell) -> None:
    """Projects, resources, cost components; unstated usage is null and never zero."""
    (shell.folder / "main.tf").write_text(STACK)
    found = json.loads(shell.weyr("price", "terraform", "main.tf", "--json").out)
    resources = {each["name"]: each for each in found["projects"][0]["breakdown"]["resources"]}
    (line,) = resources["aws_sqs_queue.q"]["costComponents"]
    assert (line["unit"], line["price"], line["monthlyCost"]) == ("1M requests", "0.4", None)
    assert found["totalMonthlyCost"] == "73"
    assert found["summary"]["unsupportedResourceCounts"] == {"aws_unheard_of": 1}


def test_a_plan_that_was_shown_is_priced(shell: Shell) -> None:
    """Also with the command before it, as Terraform's wrapper in GitHub Actions prints it."""
    queue = {"address": "aws_eks_cluster.c", "mode": "managed", "type": "aws_eks_cluster", "name": "c", "values": {}}
    plan = json.dumps({"format_version": "1.2", "planned_values": {"root_module": {"resources": [queue]}}})
    (shell.folder / "plan.json").write_text(f"[command]terraform show -json p\n{plan}\n")
    said = shell.weyr("price", "terraform", "plan.json", "--region", "us-east-1", "--json")
    assert json.loads(said.out)["totalMonthlyCost"] == "73"


def test_what_is_no_terraform_says_so(shell: Shell) -> None:
    """An empty folder, another file, and a mistake with its line."""
    empty = shell.weyr("price", "terraform", ".")
    assert (empty.status, "Nothing to price" in empty.err) == (1, True)
    (shell.folder / "notes.txt").write_text("hello")
    assert "Not Terraform" in shell.weyr("price", "terraform", "notes.txt").err
    (shell.folder / "main.tf").write_text('resource "a_b" "c" {\n  x = [1,,2]\n}\n')
    assert "main.tf:2" in shell.weyr("price", "terraform", ".").err


def test_the_guide_shows_what_the_command_prints(shell: Shell) -> None:
    """Every figure in it is one that the example has today."""
    folder = ROOT / "examples" / "price"
    said = shell.weyr("price", "terraform", str(folder), "--usage", str(folder / "usage.yaml"))
    guide = (ROOT / "docs" / "guides" / "what-will-it-cost.md").read_text("utf-8")
    assert f"usage.yaml\n{said.out}```" in guide

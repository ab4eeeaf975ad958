"""`weyr price`: what something that is written for another tool would cost."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from weyr.cli.estimate_table import estimate_table, left_out
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say
from weyr.cli.terraform_files import file_text, resources_at
from weyr.compose.price_store import catalogue_at
from weyr.importing.terraform.usage_file import read_usage
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import estimate
from weyr.ledger.terraform.plain import plain
from weyr.ledger.terraform.usage import Usage

app = verb_app("Price what is written for another tool.")


def _regions(incomplete: str) -> list[str]:
    """The regions that any list price is known for."""
    known = {region for _, _, region, _ in Catalogue.shipped().all_rates}
    return sorted(region for region in known if region and region.startswith(incomplete))


@app.callback()
def price() -> None:
    """Price what is written for another tool."""


@verb(app, "weyr price terraform examples/price --usage examples/price/usage.yaml")
def terraform(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder or file of .tf, a saved plan, or its JSON.")],
    usage: Annotated[
        Path | None,
        typer.Option("--usage", metavar="FILE", help="What is used, in the form of Infracost's usage file."),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            "--region",
            metavar="REGION",
            help="Price everything there, whatever the providers say.",
            autocompletion=_regions,
        ),
    ] = "",
    var: Annotated[list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable's value.")] = None,
    var_file: Annotated[
        list[Path] | None, typer.Option("--var-file", metavar="FILE", help="A .tfvars file with values.")
    ] = None,
    on: Annotated[
        datetime | None,
        typer.Option("--on", formats=["%Y-%m-%d"], metavar="DAY", help="Of which day versions are supported."),
    ] = None,
    free_tier: Annotated[
        bool, typer.Option("--free-tier", help="Take off what an account has free in every month.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Price a Terraform configuration or plan: each resource, line by line, and the month's total.

    Needs no credentials. Resources without a known price are named and not in the total; lines that depend on usage
    are shown with their price. With --json in the shape of Infracost's.
    """
    resources = resources_at(path, var or [], var_file or [], region)
    used = read_usage(file_text(usage), str(usage)) if usage else Usage()
    session: Session = ctx.obj
    catalogue = catalogue_at(session.home)
    result = estimate(resources, used, catalogue, _day(on), with_free=free_tier)
    if as_json:
        put_json(plain(result, str(path), catalogue.version))
        return
    put(estimate_table(result))
    for line in left_out(result):
        say(line)


def _day(on: datetime | None) -> date:
    return on.date() if on else datetime.now(UTC).date()

"""`weyr metrics`: what Prometheus and Grafana need to see everything."""

from typing import Annotated

import typer

from weyr.cli.connect import writer
from weyr.cli.dashboard import dashboard
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.screen import put, put_json

app = verb_app("Set up Prometheus and Grafana for what Weyr measures.")

CONFIG = """\
# Finds everything that Weyr measures: this server, its planes, each replica as it comes and goes.
scrape_configs:
  - job_name: weyr
    scrape_interval: 15s
    authorization: {{type: Bearer, credentials_file: {token}}}
    http_sd_configs:
      - url: {url}/v1/metrics/targets
        refresh_interval: 15s
        authorization: {{type: Bearer, credentials_file: {token}}}
"""


@verb(app, "weyr metrics config > prometheus.yml", name="config")
def config(
    ctx: typer.Context,
    token: Annotated[
        str,
        typer.Option("--token-file", metavar="FILE", help="A file with a token that may read; yours by default."),
    ] = "",
) -> None:
    """Print a configuration for Prometheus that finds everything."""
    session: Session = ctx.obj
    client = writer(session.home)
    put(CONFIG.format(url=client.server.url, token=token or session.home / "admin.token").rstrip())


@verb(app, "weyr metrics dashboard > endpoints.json", name="dashboard")
def dashboard_(ctx: typer.Context) -> None:
    """Print a dashboard for Grafana to import."""
    put_json(dashboard())

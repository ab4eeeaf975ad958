"""`weyr env`: where the doors are and what opens them, for boto3, the AWS CLI, the MLflow client and curl."""

import shlex
from typing import Annotated

import typer

from weyr.access.credentials import admin_credentials
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json

app = verb_app()


@verb(app, 'eval "$(weyr env)" && aws s3 ls')
def env(
    ctx: typer.Context,
    service: Annotated[str, typer.Option(metavar="s3|mlflow|api", help="Only the variables of one door.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print the variables that point other clients at this server.

    They hold the administrator's keys: what reads them may do everything. With a person's token, that one.
    """
    session: Session = ctx.obj
    client = writer(session.home)
    server = client.call("GET", "/v1/server")
    admin = admin_credentials(client.token)
    s3 = {
        "s3": {
            "AWS_ENDPOINT_URL": server["planes"]["s3"]["url"],
            "AWS_ACCESS_KEY_ID": admin.access_key_id,
            "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
            "AWS_REGION": "us-east-1",
        }
    }
    # The administrator's keys of S3 follow from the token; a person has none.
    doors = {} if client.person else s3
    doors |= {
        "mlflow": {"MLFLOW_TRACKING_URI": server["url"], "MLFLOW_TRACKING_TOKEN": admin.token},
        "api": {
            "WEYR_API_URL": server["url"],
            "WEYR_INFERENCE_URL": server["planes"]["inference"]["url"],
            "WEYR_TOKEN": admin.token,
        },
    }
    if service and service not in doors:
        raise typer.BadParameter(f"{service!r} is no door; write s3, mlflow or api", param_hint="--service")
    found = {name: value for door in ([service] if service else doors) for name, value in doors[door].items()}
    if as_json:
        put_json(found)
    else:
        put("\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items()))

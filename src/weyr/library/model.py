"""`weyr.model(...)`: a registered model as a value, and its deployment behind an endpoint of its own.

A deployment is a stack of one endpoint, planned and applied as `weyr up` does: priced, refused where it is unsafe, on
the bill of whoever asks. Its file is kept in the data folder, so that `weyr plan` and `weyr down` know it as any other.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weyr.cli.client import HttpClient
from weyr.cli.connect import ensured
from weyr.cli.plans import PlanView, asked_by, planned, refuse_fatal
from weyr.cli.stackfile import StackFile
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME
from weyr.library.deployment import Deployment
from weyr.library.naming import API, Found, Wanted, found, wanted_of


def model(what: object, *, home: str | Path | None = None) -> "Model":
    """A model that is registered here.

    Takes: a model of a stack with an alias (`digits@production`), an MLflow URI (`models:/digits/3`), or what MLflow
    gave: a `ModelVersion`, or the `ModelInfo` of a model that was logged with `registered_model_name`. `home` is the
    data folder; by default $WEYR_HOME, or ~/.weyr.
    """
    folder = Path(home or os.environ.get("WEYR_HOME") or "~/.weyr").expanduser().absolute()
    return Model(what, folder)


@dataclass(frozen=True, slots=True)
class Model:
    """What to deploy, and where the server's data folder is."""

    what: object
    home: Path

    def plan(self, endpoint_name: str, **fields: Any) -> PlanView:
        """What `deploy` would do, with its price; nothing is changed. Raises: UserError."""
        return self._planned(endpoint_name, fields)[1]

    def deploy(self, endpoint_name: str, *, wait: bool = True, timeout_s: float = 300.0, **fields: Any) -> Deployment:
        """Brings an endpoint of that name up, or changes it; `fields` are those of an endpoint in a stack file, such as
        `scale={"min": 0, "max": 4}` or `rollout="canary"`.

        Raises: UserError where the model is not there, where a field is wrong, where the plan is refused, and with
        `wait` where it does not come up in time.
        """
        client, plan = self._planned(endpoint_name, fields)
        refuse_fatal(plan)
        client.call("POST", f"/v1/plans/{plan.id}/apply", asked_by())
        deployment = Deployment(client, endpoint_name, plan)
        return deployment.wait(timeout_s) if wait else deployment

    def _planned(self, name: str, fields: Mapping[str, Any]) -> tuple[HttpClient, PlanView]:
        if not NAME.fullmatch(name):
            detail = f"{name!r} is no endpoint's name: small letters, digits, - and _, a letter first, 40 at most."
            raise UserError(Diagnostic("Invalid name", detail))
        client, _ = ensured(self.home, is_auto=True)
        wanted = wanted_of(self.what, client)
        where = found(wanted, client, name)
        if wanted.version:
            _point(client, where, wanted, name)
        file = self.home / "deployed" / name / "weyr.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = _stack_text(name, where, fields)
        plan = planned(client, StackFile(file, text))
        file.write_text(text, encoding="utf-8")
        return client, plan


def _point(client: HttpClient, where: Found, wanted: Wanted, endpoint: str) -> None:
    """Versions are reached by aliases: one that is named by number gets one that has the endpoint's name."""
    body = {"name": where.registered, "alias": endpoint, "version": str(wanted.version)}
    client.call("POST", f"{API}/registered-models/alias", body)


def _stack_text(name: str, where: Found, fields: Mapping[str, Any]) -> str:
    """A stack file; what JSON writes is YAML."""
    endpoint = {"model": where.reference, **fields}
    parts = [f"stack: {name}", f"endpoints: {json.dumps({name: endpoint})}"]
    if where.models:
        parts.append(f"models: {json.dumps(where.models)}")
    return "\n".join(parts) + "\n"

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
from weyr.library.naming import API, Found, Wanted, found, require_version, wanted_of


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
        return self._planned(endpoint_name, fields).plan

    def deploy(self, endpoint_name: str, *, wait: bool = True, timeout_s: float = 300.0, **fields: Any) -> Deployment:
        """Brings an endpoint of that name up, or changes it; `fields` are those of an endpoint in a stack file, such as
        `scale={"min": 0, "max": 4}` or `rollout="canary"`.

        Raises: UserError where the model is not there, where a field is wrong, where the plan is refused, and with
        `wait` where it does not come up in time.
        """
        ready = self._planned(endpoint_name, fields)
        refuse_fatal(ready.plan)
        if ready.wanted.version:
            _name_version(ready)
        ready.file.path.parent.mkdir(parents=True, exist_ok=True)
        ready.file.path.write_text(ready.file.text, encoding="utf-8")
        ready.client.call("POST", f"/v1/plans/{ready.plan.id}/apply", asked_by())
        deployment = Deployment(ready.client, endpoint_name, ready.plan)
        return deployment.wait(timeout_s) if wait else deployment

    def _planned(self, name: str, fields: Mapping[str, Any]) -> "_Planned":
        if not NAME.fullmatch(name):
            detail = f"{name!r} is no endpoint's name: small letters, digits, - and _, a letter first, 40 at most."
            raise UserError(Diagnostic("Invalid name", detail))
        client, _ = ensured(self.home, is_auto=True)
        wanted = wanted_of(self.what, client)
        where = found(wanted, client, name)
        if wanted.version:
            require_version(client, where.registered, wanted.version)
        file = StackFile(self.home / "deployed" / name / "weyr.yaml", _stack_text(name, where, fields))
        return _Planned(client, wanted, where, file, planned(client, file))


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan, and what is to be done before it can be applied: nothing of that was done yet."""

    client: HttpClient
    wanted: Wanted
    where: Found
    file: StackFile
    plan: PlanView


def _name_version(ready: _Planned) -> None:
    """Versions are reached by aliases. One that is named by number gets an alias that says this number and that no
    other version ever has: so nothing that is deployed already moves."""
    body = {"name": ready.where.registered, "alias": ready.wanted.at, "version": str(ready.wanted.version)}
    ready.client.call("POST", f"{API}/registered-models/alias", body)


def _stack_text(name: str, where: Found, fields: Mapping[str, Any]) -> str:
    """A stack file; what JSON writes is YAML."""
    endpoint = {"model": where.reference, **fields}
    parts = [f"stack: {name}", f"endpoints: {json.dumps({name: endpoint})}"]
    if where.models:
        parts.append(f"models: {json.dumps(where.models)}")
    return "\n".join(parts) + "\n"

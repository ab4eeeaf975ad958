"""Which model is meant? By what people have at hand: a name and an alias, an MLflow URI, or what MLflow gave them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weyr.cli.client import Client
from weyr.core.diagnostic import Diagnostic, UserError
from weyr.core.ref import NAME

API = "/api/2.0/mlflow"
_URI = re.compile(r"models:/+([^/@]+)(?:@([^/@]+)|/([^/@]+))?/?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A registered model's name, and which version: by `alias`, or by number where `version` is above 0."""

    name: str
    alias: str = ""
    version: int = 0

    @property
    def at(self) -> str:
        """The alias that it is reached by. MLflow keeps `v3` for itself."""
        return self.alias or (f"version-{self.version}" if self.version else "production")


@dataclass(frozen=True, slots=True)
class Found:
    """Where a model is looked after: the reference that an endpoint of another stack names it by, or what that stack
    has to name itself, where none does yet."""

    reference: str
    models: Mapping[str, Mapping[str, str]]
    registered: str


def wanted_of(what: object, client: Client) -> Wanted:
    """`digits@production`, `digits`, `models:/digits/3`, `models:/digits@champion`; or an object of MLflow's: a
    `ModelVersion`, or the `ModelInfo` of a logged model that was registered. Raises: UserError."""
    if not isinstance(what, str):
        return _of_object(what, client)
    match = _URI.fullmatch(what)
    if match:
        name, alias, version = match.groups()
        if version and not version.isdecimal():
            raise _unclear(what, f"{version!r} is no version's number; write models:/{name}@ALIAS for an alias")
        return Wanted(name, alias or "", int(version or 0))
    name, _, alias = what.partition("@")
    if not name or "/" in name or ":" in name:
        raise _unclear(what, "write a model and an alias, or models:/NAME@ALIAS or models:/NAME/VERSION")
    return Wanted(name, alias)


def found(wanted: Wanted, client: Client, endpoint: str) -> Found:
    """The model that stands in a stack under this name, or is registered under it. Raises: UserError."""
    rows = client.call("GET", "/v1/objects", kind="model").get("objects") or []
    of_stacks = [row for row in rows if wanted.name in (row["name"], (row.get("outputs") or {}).get("name"))]
    exact = [row for row in of_stacks if (row.get("outputs") or {}).get("name") == wanted.name]
    if len(exact or of_stacks) > 1:
        names = " and ".join(sorted(f"{row['stack']}:model/{row['name']}" for row in of_stacks))
        registered = " or ".join(sorted(str((row.get("outputs") or {}).get("name")) for row in of_stacks))
        raise UserError(
            Diagnostic("Two models of one name", f"{names} are both called {wanted.name}; write {registered}.")
        )
    for row in exact or of_stacks:
        registered = str((row.get("outputs") or {}).get("name") or f"{row['stack']}-{row['name']}")
        stack = "" if row["stack"] == endpoint else f"{row['stack']}:"
        models = {row["name"]: {"name": registered}} if not stack else {}
        return Found(f"{stack}model/{row['name']}@{wanted.at}", models, registered)
    quoted = wanted.name.replace("'", "''")
    if not client.call("GET", f"{API}/registered-models/search", filter=f"name='{quoted}'").get("registered_models"):
        detail = f"Neither a stack nor the registry has a model {wanted.name}."
        raise UserError(Diagnostic("There is no such model", detail, suggestion="weyr get models"))
    local = re.sub(r"[^a-z0-9_-]+", "-", wanted.name.lower()).strip("-")[:40]
    local = local if NAME.fullmatch(local) else "model"
    return Found(f"model/{local}@{wanted.at}", {local: {"name": wanted.name}}, wanted.name)


def require_version(client: Client, registered: str, version: int) -> None:
    """A plan for a version that is not there would be one for nothing. Raises: UserError."""
    quoted = registered.replace("'", "''")
    listed = client.call("GET", f"{API}/model-versions/search", filter=f"name='{quoted}'").get("model_versions") or []
    numbers = sorted(int(one["version"]) for one in listed)
    if version not in numbers:
        has = f"its newest is version {numbers[-1]}" if numbers else "it has none yet"
        detail = f"The model {registered} has no version {version}; {has}."
        raise UserError(Diagnostic("There is no such version", detail, suggestion="weyr get models"))


def _of_object(what: Any, client: Client) -> Wanted:
    version = getattr(what, "registered_model_version", None) or getattr(what, "version", None)
    run_id, name = getattr(what, "run_id", None), getattr(what, "name", None)
    if not version:
        raise _unclear(
            what, "it is not registered; log it with registered_model_name=NAME, or register it, and deploy that"
        )
    if hasattr(what, "registered_model_version"):
        # What MLflow tells of a logged model has the version's number, and not the registered model's name.
        answer = client.call("GET", f"{API}/model-versions/search", filter=f"run_id='{run_id}'")
        listed = answer.get("model_versions") or []
        names = sorted({one["name"] for one in listed if int(one["version"]) == int(version)})
        if len(names) != 1:
            raise _unclear(what, f"version {version} of run {run_id} is one of {', '.join(names) or 'no model here'}")
        name = names[0]
    return Wanted(str(name), version=int(version))


def _unclear(what: object, why: str) -> UserError:
    shown = what if isinstance(what, str) else type(what).__name__
    return UserError(Diagnostic("A model that cannot be told", f"{shown}: {why}.", suggestion="weyr get models"))

"""`weyr model`: what may be done to a registered model's version."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from weyr.access.credentials import admin_credentials
from weyr.cli.client import Client
from weyr.cli.connect import writer
from weyr.cli.group import Session, verb, verb_app
from weyr.cli.options import AsJson
from weyr.cli.screen import put, put_json, say, table
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.units import size_text
from weyr.runtime.fetch import FetchError, fetch, send

REGISTRY = "/api/2.0/mlflow"
app = verb_app("Make a smaller version of a model, and say what it costs.")


@app.callback()
def model() -> None:
    """Make a smaller version of a model, and say what it costs."""


@verb(
    app,
    "weyr model quantize digits-digits --data validation.npz\nweyr model quantize digits-digits --version 3 --json",
)
def quantize(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Its name in the registry.")],
    version: Annotated[int, typer.Option("--version", min=0, help="Of which version; 0 for the newest.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="An .npz of real rows: an array for each input, and labels where they are known."),
    ] = None,
    loss_max: Annotated[float, typer.Option("--loss-max", help="How much accuracy it may lose.")] = 0.01,
    difference_max: Annotated[
        float, typer.Option("--difference-max", help="Without labels: how far its outputs may differ, as a share.")
    ] = 0.05,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="CPU threads of one call, as it will be served.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only measure; register nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an INT8 variant of an ONNX model, measure both, and register it where it is faster and close enough.

    With --data it is calibrated on these rows, and accuracy is told where they have labels. No alias moves to it.
    """
    session: Session = ctx.obj
    client = writer(session.home)
    doors = _Doors(client, session.home / "cache" / "models", {**os.environ, **_bucket_variables(client, session.home)})
    wish = _Wish(data, loss_max, difference_max, threads, dry_run)
    try:
        # By name: it brings ONNX Runtime, which no other verb needs.
        report = _report(import_module("weyr.runtime.quantize"), doors, _version(client, name, version), wish)
    except ModuleNotFoundError as e:
        detail = f'Quantizing needs the Python package "{e.name}", which the extra "onnx" brings.'
        raise UserError(Diagnostic("A package is missing", detail, suggestion='pip install "weyr[onnx]"')) from e
    except FetchError as e:
        raise UserError(Diagnostic("The model's files cannot be had", str(e))) from e
    if as_json:
        put_json(report)
    else:
        _show(report)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line."""

    data: Path | None
    loss_max: float
    difference_max: float
    threads: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _Doors:
    """The registry, where files are kept on this machine, and the variables that open the object store."""

    client: Client
    cache: Path
    variables: Mapping[str, str]


def _report(quantizing: Any, doors: _Doors, found: Mapping[str, Any], wish: _Wish) -> dict[str, Any]:
    key = {"name": found["name"], "version": found["version"]}
    answer = doors.client.call("GET", f"{REGISTRY}/model-versions/get-download-uri", **key)
    source = _bucket_uri(str(answer["artifact_uri"]))
    files = fetch(source, doors.cache, doors.variables)
    graphs = sorted(files.rglob("*.onnx"))
    if len(graphs) != 1:
        detail = f"Version {found['version']} of {found['name']} holds {len(graphs)} ONNX files, and one is quantized."
        raise UserError(Diagnostic("No ONNX model", detail))
    with TemporaryDirectory() as scratch:
        try:
            trial = quantizing.trial_of(graphs[0], wish.data, wish.threads)
            original, variants = quantizing.compared(graphs[0], trial, Path(scratch), wish.threads)
        except (quantizing.Unquantizable, OSError, ValueError) as e:
            raise UserError(Diagnostic("The model cannot be quantized", f"{found['name']}: {e}")) from e
        best = quantizing.chosen(original, variants, wish.loss_max, wish.difference_max)
        report: dict[str, Any] = {
            "model": found["name"],
            "version": int(found["version"]),
            "rows": "made up" if trial.is_made_up else "given",
            "measured": [original.plain(), *(variant.plain() for variant in variants)],
            "recommended": best.kind if best else None,
            "registered": None,
        }
        if best and not wish.dry_run:
            place = f"{source.rstrip('/')}-int8-{best.kind}-{best.digest}"
            _upload(files, graphs[0].relative_to(files), best.path, Path(scratch) / "files", place, doors.variables)
            report["registered"] = _register(doors.client, found, place, original, best)
    return report


def _upload(files: Path, graph: Path, variant: Path, folder: Path, place: str, surroundings: Mapping[str, str]) -> None:
    """All files of the version, with the variant for its graph."""
    shutil.copytree(files, folder, ignore=shutil.ignore_patterns(".weyr-*", "*.data"))
    shutil.copyfile(variant, folder / graph)
    send(folder, place, surroundings)


def _register(client: Client, found: Mapping[str, Any], place: str, original: Any, best: Any) -> int:
    """The new version's number. It has no run: metrics of the original are not its own, and a gate reads them."""
    tags = {
        "weyr.quantized": f"int8-{best.kind}",
        "weyr.made_from": f"{found['name']}/{found['version']}",
        "weyr.made_from_run": str(found.get("run_id") or ""),
        "weyr.size_bytes": f"{original.size_bytes} -> {best.size_bytes}",
        "weyr.batch_ms": f"{original.batch_s * 1e3:.3f} -> {best.batch_s * 1e3:.3f}",
        "weyr.difference": f"{best.difference:.6f}",
    }
    if best.accuracy is not None:
        tags["weyr.accuracy"] = f"{original.accuracy:.6f} -> {best.accuracy:.6f}"
    body = {
        "name": found["name"],
        "source": place,
        "description": f"INT8 ({best.kind}) of version {found['version']}",
        "tags": [{"key": key, "value": value} for key, value in tags.items() if value],
    }
    made = client.call("POST", f"{REGISTRY}/model-versions/create", body)
    return int(made["model_version"]["version"])


def _version(client: Client, name: str, version: int) -> Mapping[str, Any]:
    """Raises: UserError where there is no such model or version."""
    answer = client.call("GET", f"{REGISTRY}/model-versions/search", filter=f"name='{name}'", max_results=10_000)
    listed: Sequence[Mapping[str, Any]] = answer.get("model_versions") or []
    numbers = {int(one["version"]): one for one in listed}
    if numbers and (not version or version in numbers):
        return numbers[version or max(numbers)]
    if numbers:
        detail = f"{name} has no version {version}; it has {', '.join(map(str, sorted(numbers)))}."
        raise UserError(Diagnostic("No such version", detail))
    models = client.call("GET", f"{REGISTRY}/registered-models/search", max_results=1000).get("registered_models") or []
    known = [str(one["name"]) for one in models]
    hint = did_you_mean(name, known) or (f" Registered are {', '.join(known[:10])}." if known else "")
    raise UserError(Diagnostic("No such model", f"No version of a model {name} is registered.{hint}"))


def _bucket_uri(uri: str) -> str:
    """Where an artifact lies in the object store: a registered address may lead through the server."""
    prefix = "mlflow-artifacts:"
    return f"s3://{uri.removeprefix(prefix).lstrip('/')}" if uri.startswith(prefix) else uri


def _bucket_variables(client: Client, home: Path) -> dict[str, str]:
    server = client.call("GET", "/v1/server")
    admin = admin_credentials((home / "admin.token").read_text().strip())
    return {
        "AWS_ENDPOINT_URL": str(server["planes"]["s3"]["url"]),
        "AWS_ACCESS_KEY_ID": admin.access_key_id,
        "AWS_SECRET_ACCESS_KEY": admin.secret_access_key,
    }


def _show(report: Mapping[str, Any]) -> None:
    headings = ["", "size", "1 row", "32 rows", "accuracy", "difference"]
    rows = []
    for one in report["measured"]:
        accuracy = "" if one["accuracy"] is None else f"{one['accuracy']:.4f}"
        latency = [f"{one['latency_ms'][count]:.2f} ms" for count in ("1", "32")]
        rows.append([one["kind"], size_text(one["size_bytes"]), *latency, accuracy, f"{one['difference']:.4f}"])
    put(table(headings, rows, frozenset(range(1, 6))))
    if report["rows"] == "made up":
        say("The rows are made up: give real ones with --data to know what is lost, and to try static INT8.")
    if report["registered"]:
        put(f"registered as version {report['registered']} of {report['model']}; no alias moved to it")
    elif report["recommended"]:
        put(f"{report['recommended']} INT8 would be registered")
    else:
        put("nothing was registered: no variant is both faster and close enough to the original")

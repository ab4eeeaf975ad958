"""Where do files lie? Artifact URIs of MLflow's wire, and the bucket and key they mean.

`mlflow-artifacts:/bucket/prefix` is the only root a client is given: it reaches the files through
the server, so that it needs no key to the object store. The same files are `s3://bucket/prefix`.
"""

import re
from urllib.parse import unquote, urlsplit

from weyr.core.artifacts import Place
from weyr.tracking.errors import invalid

PROXIED = "mlflow-artifacts"


def place_of_path(path: str) -> Place:
    """The place of `bucket/key`. Raises TrackingError for a path that leads out of its folder."""
    decoded = path.strip("/")
    parts = decoded.split("/")
    if any(part in (".", "..", "") for part in parts) or "\\" in decoded or "\0" in decoded:
        raise invalid("Invalid path")
    return Place(parts[0], "/".join(parts[1:]))


def place_of_uri(uri: str) -> Place | None:
    """The place of a `mlflow-artifacts:` or `s3:` URI; None for any other. Raises for `..` within."""
    split = urlsplit(uri)
    if split.scheme == PROXIED and not split.netloc:
        return place_of_path(unquote(split.path)) if split.path.strip("/") else None
    if split.scheme == "s3" and split.netloc:
        return place_of_path(f"{split.netloc}/{unquote(split.path).strip('/')}".strip("/"))
    return None


def join(root: str, *parts: str) -> str:
    """A URI below a root."""
    return "/".join((root.rstrip("/"), *parts))


def plain_location(uri: str) -> str:
    """The one spelling of a place for files. Raises TrackingError unless it is in a bucket."""
    place = place_of_uri(uri)
    if place is None:
        raise invalid(
            f"Invalid artifact location '{uri}'. Files are kept in buckets: give mlflow-artifacts:/<bucket>/<prefix>."
        )
    return place.s3_uri if uri.startswith("s3:") else proxied_uri(place)


def proxied_uri(place: Place) -> str:
    return f"{PROXIED}:/{place.path}"


def check_source(uri: str) -> None:
    """Raises TrackingError for a version's source that names this machine's own files, or climbs."""
    split = urlsplit(uri)
    if split.scheme in ("", "file"):
        raise invalid(
            f"Invalid model version source: '{uri}'. To use a local path as a model version source is not possible "
            "here: log the model to a run, or give the place of its files in a bucket."
        )
    plain = unquote(uri)
    if "\0" in plain or "\\" in plain or re.search(r"(^|/)\.\.(/|$)", plain):
        raise invalid(
            f"Invalid model version source: '{uri}'. If supplying a source as an http, https, ftp, s3 or "
            "mlflow-artifacts URI, its path must be absolute and hold no relative references."
        )

"""Where files lie: URIs, buckets and keys, and never outside the folder that was meant."""

import pytest

from weyr.core.artifacts import Place
from weyr.tracking.errors import TrackingError
from weyr.tracking.places import check_source, place_of_path, place_of_uri, plain_location

PLACES = {
    "mlflow-artifacts:/lake/runs/1": Place("lake", "runs/1"),
    "mlflow-artifacts:///lake/runs/1/": Place("lake", "runs/1"),
    "mlflow-artifacts:/lake": Place("lake"),
    "mlflow-artifacts:/lake/a%20b": Place("lake", "a b"),
    "s3://lake/runs/1": Place("lake", "runs/1"),
    "s3://lake": Place("lake"),
    "mlflow-artifacts:/": None,
    "mlflow-artifacts://elsewhere/lake": None,
    "file:///etc": None,
    "models:/m-1": None,
}


@pytest.mark.parametrize("uri", PLACES)
def test_a_uri_means_a_bucket_and_a_key(uri: str) -> None:
    """The two spellings of one place, and what is no place at all."""
    assert place_of_uri(uri) == PLACES[uri]


@pytest.mark.parametrize("path", ["", "lake/../other", "lake/./x", "..", "lake//x", "lake/..\\x", "lake/\0"])
def test_a_path_cannot_lead_out(path: str) -> None:
    """The server holds the keys to every bucket; a path is all that keeps a caller in its own."""
    with pytest.raises(TrackingError):
        place_of_path(path)


def test_a_place_knows_its_folders() -> None:
    """From the file up to the bucket."""
    folders = [place.path for place in Place("lake", "a/b").with_parents()]
    assert folders == ["lake/a/b", "lake/a", "lake"]


def test_a_location_has_one_spelling() -> None:
    """It is compared as text, so that a lookup is one index access."""
    assert plain_location("mlflow-artifacts:///lake/x/") == "mlflow-artifacts:/lake/x"
    assert plain_location("s3://lake/x/") == "s3://lake/x"
    with pytest.raises(TrackingError):
        plain_location("/etc/x")


@pytest.mark.parametrize("source", ["/etc/passwd", "file:/etc", "x/y", "s3://lake/../x", "s3://lake/%2e%2e/x"])
def test_a_source_is_never_this_machines_own_file(source: str) -> None:
    """An endpoint would load it with the replica's rights."""
    with pytest.raises(TrackingError):
        check_source(source)

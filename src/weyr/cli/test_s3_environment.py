"""What the variables of other servers mean here: a table, for those who change the image and nothing else."""

from pathlib import Path

import pytest

from weyr.cli.s3_environment import said_in
from weyr.gateway.s3.accounts import User


def test_an_environment_that_says_nothing_changes_nothing() -> None:
    said = said_in({"PATH": "/bin", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "of a real account"})
    assert (said.user, said.data, said.host, said.port, said.region, said.domains, said.read, said.unread) == (
        None, None, "", None, "", (), (), (),
    )  # fmt: skip


def test_minios_variables_mean_what_they_mean_to_minio() -> None:
    said = said_in(
        {
            "MINIO_ROOT_USER": "minioadmin",
            "MINIO_ROOT_PASSWORD": "with:colon",
            "MINIO_VOLUMES": "/mnt/data",
            "MINIO_ADDRESS": ":9000",
            "MINIO_DOMAIN": "s3.example.com,minio.internal",
            "MINIO_SITE_REGION": "eu-central-1",
            "MINIO_BROWSER": "off",
            "MINIO_NOTIFY_WEBHOOK_ENABLE_A": "on",
        }
    )
    assert said.user == User("minioadmin", "minioadmin", "with:colon")
    assert (said.data, said.host, said.port) == (Path("/mnt/data"), "", 9000)
    assert (said.region, said.domains) == ("eu-central-1", ("s3.example.com", "minio.internal"))
    assert said.unread == ("MINIO_NOTIFY_WEBHOOK_ENABLE_A",)
    assert "MINIO_ROOT_PASSWORD" in said.read


def test_localstacks_variables_say_where_to_listen_and_under_which_name() -> None:
    said = said_in({"GATEWAY_LISTEN": "127.0.0.1:4566,0.0.0.0:443", "LOCALSTACK_HOST": "stack.internal:4566"})
    assert (said.host, said.port, said.domains) == ("127.0.0.1", 4566, ("s3.stack.internal",))


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({"MINIO_ROOT_USER": "only"}, "set together"),
        ({"MINIO_VOLUMES": "/mnt/disk{1...4}"}, "several places"),
        ({"MINIO_VOLUMES": "/mnt/a /mnt/b"}, "several places"),
        ({"MINIO_ADDRESS": "localhost"}, "HOST:PORT"),
        ({"GATEWAY_LISTEN": "0.0.0.0:http"}, "HOST:PORT"),
    ],
)
def test_what_cannot_be_meant_here_is_said(environment: dict[str, str], what: str) -> None:
    """Better than a plane that listens elsewhere or keeps a quarter of the data."""
    with pytest.raises(ValueError, match=what):
        said_in(environment)

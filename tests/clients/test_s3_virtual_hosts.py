"""Buckets in the host's name, as SDKs send them by default: unmodified clients, with the plane as their proxy.

A proxy is how a client reaches a name that no resolver here knows: it names the whole address in its request.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from test_s3_serve import SECRETS, USERS, Served, fetched, served

AWS = Path(sys.executable).with_name("aws")
ENDPOINT = "http://s3.example.com"
MIB = 2**20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("serve") / "buckets", *USERS, "--domain=s3.example.com") as running:
        yield running


def virtual(s3: Served, endpoint: str = ENDPOINT, signature: str = "s3v4", secret: str = SECRETS["ann"]) -> Any:
    config = Config(
        retries={"max_attempts": 1},
        s3={"addressing_style": "virtual"},
        signature_version=signature,
        proxies={"http": s3.url},
    )
    keys = {"aws_access_key_id": "ANNKEY", "aws_secret_access_key": secret, "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=endpoint, config=config, **keys)


@pytest.mark.parametrize(
    "endpoint",
    [ENDPOINT, "http://localhost:9000", "http://s3.localhost.localstack.cloud:4566"],
)
@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_everything_of_a_bucket_is_found_under_its_name(s3: Served, endpoint: str, signature: str) -> None:
    """Made, written, listed, copied, uploaded in parts, presigned and removed; both signatures hold the host."""
    client = virtual(s3, endpoint, signature)
    client.create_bucket(Bucket="named.lake")
    client.put_object(Bucket="named.lake", Key="a b/ü", Body=b"x" * 5)
    client.copy_object(Bucket="named.lake", Key="copy", CopySource={"Bucket": "named.lake", "Key": "a b/ü"})
    upload = client.create_multipart_upload(Bucket="named.lake", Key="parts")["UploadId"]
    part = client.upload_part(Bucket="named.lake", Key="parts", UploadId=upload, PartNumber=1, Body=b"y" * MIB)
    done = client.complete_multipart_upload(
        Bucket="named.lake",
        Key="parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    scheme, host = endpoint.split("://")
    assert done["Location"] == f"{scheme}://named.lake.{host}/parts"
    assert client.get_object(Bucket="named.lake", Key="copy")["Body"].read() == b"x" * 5
    listed = [o["Key"] for o in client.list_objects_v2(Bucket="named.lake")["Contents"]]
    assert listed == ["a b/ü", "copy", "parts"]
    url = client.generate_presigned_url("get_object", {"Bucket": "named.lake", "Key": "a b/ü"})
    assert url.startswith(f"{scheme}://named.lake.{host}/a")
    assert requests.get(url, proxies={"http": s3.url}, timeout=20).content == b"x" * 5
    assert requests.get(url.replace("/a%20b", "/other"), proxies={"http": s3.url}, timeout=20).status_code == 403
    for key in listed:
        client.delete_object(Bucket="named.lake", Key=key)
    client.delete_bucket(Bucket="named.lake")


def test_both_styles_are_one_bucket(s3: Served) -> None:
    """What one client puts by name another finds by path, and what is refused is refused in both."""
    by_name, by_path = virtual(s3), s3.client("ann")
    by_name.create_bucket(Bucket="both")
    by_path.put_object(Bucket="both", Key="k", Body=b"1")
    assert by_name.get_object(Bucket="both", Key="k")["Body"].read() == b"1"
    with pytest.raises(ClientError) as refused:
        virtual(s3, secret="wrong").get_object(Bucket="both", Key="k")
    assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert fetched(f"{s3.url}/k", Host="both.s3.example.com")[0] == 403
    assert "<Code>NoSuchBucket</Code>" in fetched(f"{s3.url}/k", Host="missing.s3.example.com")[2]


def test_a_page_and_a_form_reach_a_bucket_by_its_name(s3: Served) -> None:
    """A public object, its CORS headers, and a signed form, with nothing but a Host header."""
    client = virtual(s3)
    client.create_bucket(Bucket="page")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://www.example.com"]}
    client.put_bucket_cors(Bucket="page", CORSConfiguration={"CORSRules": [rule]})
    client.put_object(Bucket="page", Key="index.html", Body=b"hello", ACL="public-read")
    asked = {"Host": "page.s3.example.com", "Origin": "https://www.example.com"}
    status, headers, text = fetched(f"{s3.url}/index.html", **asked)
    assert (status, text, headers["Access-Control-Allow-Origin"]) == (200, "hello", asked["Origin"])
    preflight = fetched(f"{s3.url}/index.html", "OPTIONS", **asked, Access_Control_Request_Method="GET")
    assert preflight[0] == 200
    fields = {"success_action_status": "201"}
    form = client.generate_presigned_post("page", "up", fields, [fields])
    assert form["url"] == "http://page.s3.example.com/"
    answer = requests.post(form["url"], form["fields"], files={"file": b"z"}, proxies={"http": s3.url}, timeout=20)
    assert (answer.status_code, "<Location>http://page.s3.example.com/up<" in answer.text) == (201, True)
    assert client.get_object(Bucket="page", Key="up")["Body"].read() == b"z"


def test_the_aws_cli_addresses_buckets_by_name(s3: Served, tmp_path: Path) -> None:
    """`aws configure set s3.addressing_style virtual`, and nothing else."""
    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    (tmp_path / "file").write_bytes(b"from the shell")
    environment = os.environ | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "ANNKEY",
        "AWS_SECRET_ACCESS_KEY": SECRETS["ann"],
        "HTTP_PROXY": s3.url,
        "http_proxy": s3.url,
        "NO_PROXY": "",
        "no_proxy": "",
    }
    for arguments in (
        ("s3", "mb", "s3://cli-named"),
        ("s3", "cp", str(tmp_path / "file"), "s3://cli-named/dir/file"),
        ("s3", "cp", "s3://cli-named/dir/file", str(tmp_path / "back")),
    ):
        done = subprocess.run([str(AWS), *arguments], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "back").read_bytes() == b"from the shell"

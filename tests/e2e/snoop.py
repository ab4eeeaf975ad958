"""`snoop.py OWN OTHER`: a job that tries every door with what it was given, and prints how each answered."""

import os
import sys
import urllib.error
import urllib.request
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def tried(call: Any, **arguments: Any) -> int:
    """The status that the object store answered with."""
    try:
        answer = call(**arguments)
    except ClientError as e:
        answer = e.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def asked(url: str, body: bytes | None = None) -> int:
    """The status that a door answered the task's token with."""
    headers = {"Authorization": f"Bearer {os.environ['WEYR_TOKEN']}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code


def main(own: str, other: str) -> None:
    s3 = boto3.client("s3", config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
    server = os.environ["MLFLOW_TRACKING_URI"]
    print("list-own", tried(s3.list_objects_v2, Bucket=own))
    print("list-other", tried(s3.list_objects_v2, Bucket=other))
    print("write-own", tried(s3.put_object, Bucket=own, Key="mine", Body=b"mine"))
    print("api", asked(f"{server}/v1/plans", b"{}"))
    print("secrets", asked(f"{server}/v1/secrets"))
    print("inference", asked(f"{os.environ['INFERENCE']}/whole/sorter/v2/models/sorter"))
    print("tracking", asked(f"{server}/api/2.0/mlflow/experiments/search", b'{"max_results": 1}'))


if __name__ == "__main__":
    main(*sys.argv[1:])

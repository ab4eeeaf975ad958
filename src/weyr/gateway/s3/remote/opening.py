"""How is a place outside opened? As obstore's client of its kind, which is loaded here and nowhere before.

Every request has a bound: a connection is made within five seconds, nothing stays silent for half a minute, and what
fails is tried again for at most ten seconds.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

from weyr.gateway.s3.remote.place import ANONYMOUS, Place, Scheme

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig  # declared for type checkers, absent at run time

Client = S3Store | GCSStore | AzureStore | LocalStore
REGION = "us-east-1"


def client_of(place: Place, silent_s: float = 30.0, retries_max: int = 3) -> Client:
    """Takes: `silent_s`, how long an answer may stand still. Raises: obstore's errors, ValueError."""
    client: ClientConfig = {
        "allow_http": place.endpoint.startswith("http://"),
        "connect_timeout": "5s",
        "read_timeout": timedelta(seconds=silent_s),
        "timeout": timedelta(seconds=max(300.0, silent_s)),
    }
    retry: RetryConfig = {
        "max_retries": retries_max,
        "retry_timeout": timedelta(seconds=10),
        "backoff": {
            "init_backoff": timedelta(milliseconds=100),
            "max_backoff": timedelta(seconds=2),
            "base": 2,
        },
    }
    shared: dict[str, Any] = {"client_options": client, "retry_config": retry, "prefix": place.prefix or None}
    match place.scheme:
        case Scheme.S3:
            return S3Store(place.bucket, config=_s3(place), **shared)
        case Scheme.GS:
            return GCSStore(place.bucket, config=_gs(place), **shared)
        case Scheme.AZ:
            return AzureStore(place.bucket, config=_az(place), **shared)
        case Scheme.FILE:
            return LocalStore(place.folder, mkdir=True)


def _s3(place: Place) -> Any:  # of obstore's own declared type
    config: dict[str, Any] = {
        "region": place.region or REGION,
        # A bucket's name may have dots, and a server of one's own has one name only.
        "virtual_hosted_style_request": not place.endpoint and "." not in place.bucket,
        **dict(place.keys),
    }
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if place.who == ANONYMOUS:
        config["skip_signature"] = True
    return config


def _gs(place: Place) -> Any:  # of obstore's own declared type
    if place.who == ANONYMOUS:
        config: dict[str, Any] = {"skip_signature": True}
        if place.endpoint:
            account = {"gcs_base_url": place.endpoint, "disable_oauth": True, "client_email": "", "private_key": "",
                       "private_key_id": ""}  # fmt: skip
            config = {"service_account_key": json.dumps(account)}
        return config
    given = dict(place.keys).get("service_account", "")
    if not given:
        return {}
    return {"service_account_key" if given.lstrip().startswith("{") else "service_account": given}


def _az(place: Place) -> Any:  # of obstore's own declared type
    config: dict[str, Any] = {"account_name": place.account}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if place.who == ANONYMOUS:
        config["skip_signature"] = True
    keys = dict(place.keys)
    if "account_key" in keys:
        config["account_key"] = keys["account_key"]
    if "sas_token" in keys:
        config["sas_key"] = keys["sas_token"]
    return config

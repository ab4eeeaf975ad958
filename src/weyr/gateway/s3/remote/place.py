"""What is a place outside, and how is it reached? A URL and what opens it, checked before anything is asked of it.

    s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-west-1
    gs://bucket/prefix        az://container/prefix        file:///folder

A URL never holds credentials. They are in the environment, as WEYR_REMOTE_<NAME>_… with the place's own name, or in a
file of JSON: {"name": {"access_key_id": "…", "secret_access_key": "…"}}. `credentials=anonymous` in the URL asks for
a public place, `credentials=machine` for the machine's own role.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

ENVIRONMENT = "WEYR_REMOTE_"
ANONYMOUS, MACHINE = "anonymous", "machine"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}", re.IGNORECASE)
_OPTIONS = {"endpoint", "region", "credentials", "account"}


class Scheme(StrEnum):
    S3 = "s3"
    GS = "gs"
    AZ = "az"
    FILE = "file"


_KEYS: Mapping[Scheme, tuple[tuple[str, ...], ...]] = {
    Scheme.S3: (("access_key_id", "secret_access_key"), ("access_key_id", "secret_access_key", "session_token")),
    Scheme.GS: (("service_account",),),
    Scheme.AZ: (("account_key",), ("sas_token",)),
    Scheme.FILE: ((),),
}
"""What opens a place of each kind: one of these sets, whole."""


class PlaceProblem(ValueError):
    """A place that cannot be used as it was named; the message is for the user and holds no secret."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in a bucket of somebody else's. `name` is what it is called here."""

    name: str
    scheme: Scheme
    bucket: str
    """The container of az; "" of file."""
    prefix: str
    """Without slashes around it. Of file, the folder's path without the first one."""
    endpoint: str = ""
    region: str = ""
    account: str = ""
    """Whose container it is, of az."""
    who: str = ""
    """ANONYMOUS or MACHINE, "" where keys open it."""
    keys: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    """Names and values; never shown."""
    given: str = ""
    """The URL as it was given, with its options."""

    @property
    def url(self) -> str:
        """The URL as people read it, without options."""
        path = f"/{self.prefix}" if self.prefix else ""
        return f"{self.scheme}://{self.bucket}{path}"

    @property
    def identity(self) -> str:
        """What tells its objects from those of any other place."""
        return f"{self.scheme}://{self.account}@{self.endpoint}/{self.bucket}/{self.prefix}"

    @property
    def folder(self) -> Path:
        """The folder of a file place."""
        assert self.scheme is Scheme.FILE
        return Path("/", self.prefix)


def place_of(name: str, url: str, keys: Mapping[str, str] | None = None) -> Place:
    """The place that `url` names. Takes: `keys`, those that open it. Raises: PlaceProblem, in words for the user."""
    if not _NAME.fullmatch(name):
        raise PlaceProblem(f"{name!r} cannot be a place's name: letters, digits, dots and dashes, at most 128")
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise PlaceProblem(f"the URL of {name} holds credentials; put them into {variables(name)}…")
    try:
        scheme = Scheme(parts.scheme)
    except ValueError as e:
        raise PlaceProblem(f"the URL of {name} begins with none of s3://, gs://, az:// and file:///") from e
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown or parts.fragment:
        raise PlaceProblem(f"the URL of {name} has options that there are none of: {', '.join(unknown) or '#'}")
    prefix = unquote(parts.path).strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise PlaceProblem(f"the path in the URL of {name} has an empty part, or one of dots")
    if (scheme is Scheme.FILE) == bool(parts.netloc) or (scheme is Scheme.FILE and not prefix):
        raise PlaceProblem(f"the URL of {name} names no {'folder' if scheme is Scheme.FILE else 'bucket'}")
    endpoint = options.get("endpoint", "")
    if endpoint and not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#@\s]*)?", endpoint):
        raise PlaceProblem(f"the endpoint of {name} is no http:// or https:// address")
    who = options.get("credentials", "")
    if who not in ("", ANONYMOUS, MACHINE):
        raise PlaceProblem(f"credentials={who} of {name} is neither {ANONYMOUS} nor {MACHINE}")
    account = options.get("account", "") or (keys or {}).get("account", "")
    place = Place(name, scheme, parts.netloc, prefix, endpoint, options.get("region", ""), account, who, given=url)
    return _opened_by(place, {key: value for key, value in (keys or {}).items() if key != "account"})


def keys_for(name: str, environment: Mapping[str, str], file: Path | None = None) -> dict[str, str]:
    """What the environment and the credentials file have for a place; a file that is not there has nothing.

    Raises: PlaceProblem where the file is none of names and keys.
    """
    keys: dict[str, str] = {}
    if file is not None and file.exists():
        try:
            kept = json.loads(file.read_text())
            keys = {str(key): str(value) for key, value in kept.get(name, {}).items()}
        except (OSError, ValueError, AttributeError) as e:
            # The file's text may be in the error's, so that is not shown.
            raise PlaceProblem(f"the credentials file {file} cannot be read as JSON of names and keys") from e
    begin = variables(name)
    return keys | {key[len(begin) :].lower(): value for key, value in environment.items() if key.startswith(begin)}


def variables(name: str) -> str:
    """How the environment variables of a place begin."""
    return f"{ENVIRONMENT}{re.sub('[^A-Za-z0-9]', '_', name).upper()}_"


def _opened_by(place: Place, keys: Mapping[str, str]) -> Place:
    """The place with its keys. Raises: PlaceProblem where some are missing or mean nothing to it."""
    known = _KEYS[place.scheme]
    unknown = sorted(keys.keys() - {key for choice in known for key in choice})
    if unknown:
        raise PlaceProblem(f"there is no {', '.join(unknown)} to a {place.scheme}:// place, and {place.name} has it")
    if place.scheme is Scheme.AZ and not place.account:
        raise PlaceProblem(f"{place.name} needs the storage account's name: ?account=NAME in its URL")
    if place.who:
        if keys:
            raise PlaceProblem(f"{place.name} has keys and credentials={place.who}; it can have one of them")
        return place
    if set(keys) not in [set(choice) for choice in known]:
        wanted = " or ".join(" and ".join(f"{variables(place.name)}{key.upper()}" for key in c) for c in known)
        raise PlaceProblem(f"{place.name} ({place.url}) needs {wanted} in the environment, or credentials={ANONYMOUS}")
    return replace(place, keys=frozenset(keys.items()))

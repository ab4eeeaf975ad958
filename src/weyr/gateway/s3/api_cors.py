"""Which web pages may read an answer? A bucket's CORS rules, preflight requests, and the headers of answers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html (2026-11); the Fetch standard.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from weyr.gateway.s3.api_settings import Document
from weyr.gateway.s3.call import Call
from weyr.gateway.s3.errors import S3Error
from weyr.gateway.s3.messages import Response
from weyr.gateway.s3.xml import Node, parsed

RULES_MAX = 100
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_ROOT = "CORSConfiguration"
_VARY = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


@dataclass(frozen=True, slots=True)
class Rule:
    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    age_s: str

    def allows(self, origin: str, method: str, wanted: tuple[str, ...]) -> bool:
        """Takes `wanted`, the request headers that a preflight names, in lower case."""
        is_origin = any(_matches(pattern, origin) for pattern in self.origins)
        lower = [pattern.lower() for pattern in self.headers]
        return is_origin and method in self.methods and all(any(_matches(p, n) for p in lower) for n in wanted)


async def _checked(call: Call) -> str:
    root = await call.xml(_ROOT)
    _rules_of(root)
    return root.text_of_all()


def _rules_of(root: Node) -> tuple[Rule, ...]:
    rules = tuple(_rule(node) for node in root.all("CORSRule"))
    if not 0 < len(rules) <= RULES_MAX:
        raise S3Error("MalformedXML")
    return rules


def _rule(node: Node) -> Rule:
    def texts(name: str) -> tuple[str, ...]:
        return tuple(child.text.strip() for child in node.all(name))

    rule = Rule(
        texts("AllowedOrigin"), texts("AllowedMethod"), texts("AllowedHeader"), texts("ExposeHeader"),
        (node.get("MaxAgeSeconds") or "").strip(),
    )  # fmt: skip
    if not rule.origins or not rule.methods or (rule.age_s and not re.fullmatch("[0-9]{1,10}", rule.age_s)):
        raise S3Error("MalformedXML")
    for method in rule.methods:
        if method not in METHODS:
            message = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            raise S3Error("InvalidRequest", message)

    for pattern in (*rule.origins, *rule.headers):
        if pattern.count("*") > 1:
            raise S3Error("InvalidRequest", f'"{pattern}" can not have more than one wildcard.')
    return rule


CORS = Document(
    "cors",
    "s3:GetBucketCORS",
    "s3:PutBucketCORS",
    "s3:PutBucketCORS",
    _checked,
    missing="NoSuchCORSConfiguration",
)


@lru_cache(maxsize=1024)
def _kept(text: str) -> tuple[Rule, ...]:
    return _rules_of(parsed(text.encode(), _ROOT))


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")))


def _matches(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None


def headers_for(settings: Mapping[str, str], method: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that let the page at the request's `Origin` read the answer; none where no rule does."""
    origin = headers.get("origin")
    text = settings.get("cors")
    if origin is None or text is None:
        return []
    method = headers.get("access-control-request-method", method)
    wanted = _names(headers.get("access-control-request-headers", ""))
    rule = next((rule for rule in _kept(text) if rule.allows(origin, method, wanted)), None)
    if rule is None:
        return []
    is_any = "*" in rule.origins
    answer = [("Access-Control-Allow-Origin", "*" if is_any else origin), _VARY]
    answer.append(("Access-Control-Allow-Methods", ", ".join(rule.methods)))
    if not is_any:
        answer.append(("Access-Control-Allow-Credentials", "true"))
    if wanted:
        answer.append(("Access-Control-Allow-Headers", ", ".join(wanted)))
    if rule.exposed:
        answer.append(("Access-Control-Expose-Headers", ", ".join(rule.exposed)))
    if rule.age_s:
        answer.append(("Access-Control-Max-Age", rule.age_s))
    return answer


def preflight(settings: Mapping[str, str], headers: Mapping[str, str]) -> Response:
    """The answer to an OPTIONS request; nobody signs those. Raises: S3Error."""
    if "origin" not in headers:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    method = headers.get("access-control-request-method")
    if method not in METHODS:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: null" if method is None else "")
    allowed = headers_for(settings, method, headers)
    if not allowed:
        raise S3Error("AccessForbidden", "CORSResponse: This CORS request is not allowed.")
    return Response(200, allowed)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())

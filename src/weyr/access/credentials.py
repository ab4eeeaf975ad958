"""What does a caller prove itself with? The administrator's keys follow from one token."""

import base64
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IssuedCredentials:
    """What a caller proves itself with. Shown once: only who was given it has the token."""

    token: str = field(repr=False)
    access_key_id: str
    secret_access_key: str = field(repr=False)


def admin_credentials(token: str) -> IssuedCredentials:
    """The administrator's credentials. The S3 keys follow from the token: one thing to keep, and to change."""
    key_id = base64.b32encode(_derived(token, "s3 access key id")[:10]).decode()
    return IssuedCredentials(token, f"WEYR{key_id}", text_of(_derived(token, "s3 secret access key")[:30]))


def text_of(random_bytes: bytes) -> str:
    """Random bytes as a word without signs that a shell or a URL would take for its own."""
    return base64.urlsafe_b64encode(random_bytes).decode().rstrip("=")


def _derived(token: str, purpose: str) -> bytes:
    return hmac.digest(token.encode(), f"weyr {purpose}".encode(), "sha256")

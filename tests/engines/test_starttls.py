"""Alerts by mail through a real mail server, aiosmtpd's, that takes a login over TLS only."""

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from elsewhere import make_certificate

from weyr.core.capability import Channel, NoticeBody
from weyr.core.ref import Ref
from weyr.engines.local.telling import tell

KEY = Ref("digits", "secret", "mail")
BODY = NoticeBody("50% is spent", {"share": "50%"}, Channel.EMAIL, "team@example.org", "weyr@example.org", KEY)
WITHIN_S = 60.0


@dataclass
class Mails:
    """What the server took, and who tried to log in; whether that was over TLS."""

    port: int = 0
    taken: list[tuple[bool, bytes]] = field(default_factory=list)
    logins: list[tuple[bool, bytes, bytes]] = field(default_factory=list)

    def log_in(self, _server: SMTP, session: Session, _envelope: Envelope, _how: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((session.ssl is not None, data.login, data.password))
        return AuthResult(success=(data.login, data.password) == (b"weyr", b"hid@den"), handled=False)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.taken.append((session.ssl is not None, envelope.content))
        return "250 taken"


@contextmanager
def mail_server(certificate: Path) -> Iterator[Mails]:
    """On loopback and a free port, in a loop and a thread of its own."""
    mails, loop, is_up = Mails(), asyncio.new_event_loop(), threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def session() -> SMTP:
        return SMTP(mails, hostname="here", tls_context=context, require_starttls=True, auth_required=True,
                    authenticator=mails.log_in, loop=loop)  # fmt: skip

    async def serve() -> None:
        server = await loop.create_server(session, "127.0.0.1", 0)
        mails.port = server.sockets[0].getsockname()[1]
        is_up.set()
        await stop.wait()
        server.close()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert is_up.wait(WITHIN_S), "the mail server does not come up"
    yield mails
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    make_certificate(tmp_path / "mail.pem")
    return tmp_path / "mail.pem"


def test_a_mail_goes_out_over_starttls_with_its_login(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every provider of mail wants it at port 587: first TLS, then the password, then the mail."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate) as mails:
        why = tell("digits:budget/month#1", time.time(), BODY, lambda _ref: address(mails, "hid%40den"))
    assert why == ""
    assert mails.logins == [(True, b"weyr", b"hid@den")]
    ((over_tls, content),) = mails.taken
    assert over_tls
    assert message_from_bytes(content)["Subject"] == "50% is spent"


def test_a_wrong_password_is_said_without_being_said(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that the server answers with is enough to mend it; what else it says may hold the password."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(certificate) as mails:
        why = tell("x", time.time(), BODY, lambda _ref: address(mails, "wrong"))
    assert why == "the mail server answered 535: it does not take this user and password"
    assert not mails.taken


def test_a_server_that_nobody_vouches_for_never_sees_the_password(certificate: Path) -> None:
    """Whoever stands between us and the server could offer TLS of its own."""
    with mail_server(certificate) as mails:
        why = tell("x", time.time(), BODY, lambda _ref: address(mails, "hid%40den"))
    assert why.startswith("the mail server cannot be used: its certificate is not one that this machine trusts")
    assert not mails.logins
    assert not mails.taken


def address(mails: Mails, password: str) -> bytes:
    return f"smtp://weyr:{password}@127.0.0.1:{mails.port}".encode()

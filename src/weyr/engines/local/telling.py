"""How does a notice reach whom it is for? One attempt: a POST to a webhook, Slack's form of it, or a mail.

Gives why it was not delivered, or nothing. What an address or a server says is never repeated: either may hold a token.
"""

import http.client
import ipaddress
import json
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, assert_never
from urllib.parse import unquote, urlsplit

from weyr.core.capability import Channel, NoticeBody
from weyr.core.ref import Ref

SUBMISSION_PORT, SMTPS_PORT = 587, 465

Read = Callable[[Ref], bytes | None]
"""The value of a secret, None where it has none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a receiver may be silent, and how long one attempt may take in all: who sends a byte every four seconds
    is never silent for five."""

    silence_s: float = 5.0
    attempt_s: float = 20.0


PATIENCE = Patience()


def tell(id: str, sent_at: float, body: NoticeBody, read: Read, patience: Patience = PATIENCE) -> str:
    """Delivers it once more, under the same id: who gets it twice can tell."""
    hidden = ""
    if body.secret is not None:
        value = read(body.secret)
        if value is None:
            return f"{body.secret} has no value"
        hidden = value.decode(errors="replace").strip()
    match body.channel:
        case Channel.LOG:
            return ""
        case Channel.WEBHOOK:
            content = {"text": body.text, "id": id, "details": dict(body.details), "sent_at": sent_at}
            return _post(hidden or body.to, id, content, patience)
        case Channel.SLACK:
            return _post(hidden, id, slack_message(body), patience)
        case Channel.EMAIL:
            return _mail(hidden, mail_of(id, sent_at, body), patience)
        case _:
            assert_never(body.channel)


def slack_message(body: NoticeBody) -> Mapping[str, Any]:
    """Source: Slack's incoming webhooks (api.slack.com/messaging/webhooks): `text` is the line of the notification,
    blocks are what the channel shows, a section's fields ten at most."""
    fields = [{"type": "mrkdwn", "text": f"*{_plain(n)}*\n{_plain(v)}"} for n, v in list(body.details.items())[:10]]
    section: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": _plain(body.text)}}
    return {"text": _plain(body.text), "blocks": [section | ({"fields": fields} if fields else {})]}


def mail_of(id: str, sent_at: float, body: NoticeBody) -> EmailMessage:
    """The same identity each time: a mail program shows one that was delivered twice once.

    Source: RFC 5322, section 3.6 (a mail without a date is not one, and filters take it for spam); RFC 3834, section 5
    (nobody's holiday note answers what says that a program sent it).
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = body.sender, body.to, body.text
    message["Date"], message["Auto-Submitted"] = formatdate(sent_at), "auto-generated"
    domain = body.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{''.join(c if c.isalnum() or c in '.-' else '.' for c in id)}@{domain}>"
    lines = [f"{name}: {value}" for name, value in body.details.items()]
    message.set_content("\n".join([body.text, "", *lines]) + "\n")
    return message


def is_address(webhook: str) -> bool:
    try:
        url = urlsplit(webhook)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


def _plain(text: str) -> str:
    """Slack's three control characters, written so that they control nothing."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(address: str, id: str, content: Mapping[str, Any], patience: Patience) -> str:
    """Redirects are not followed."""
    if not is_address(address):
        return "the webhook is not an address such as https://example.org/alerts"
    url = urlsplit(address)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json", "User-Agent": "weyr", "Idempotency-Key": id}
    try:
        connection = kind(url.hostname or "", url.port, timeout=patience.silence_s)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            with _cut_off(patience.attempt_s, lambda: connection.sock):
                connection.request("POST", target, json.dumps(content).encode(), headers)
                status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as e:
        return f"the webhook cannot be reached: {_why(e)}"
    return "" if 200 <= status < 300 else f"the webhook answered {status}"


def _mail(address: str, message: EmailMessage, patience: Patience) -> str:
    try:
        url = urlsplit(address)
        is_tls, host = url.scheme == "smtps", url.hostname or ""
        if url.scheme not in ("smtp", "smtps") or not host:
            return "the mail server's secret is not an address such as smtp://user:password@host:587"
        port = url.port or (SMTPS_PORT if is_tls else SUBMISSION_PORT)
        context = ssl.create_default_context()
        server: smtplib.SMTP = (
            smtplib.SMTP_SSL(timeout=patience.silence_s, context=context)
            if is_tls
            else smtplib.SMTP(timeout=patience.silence_s)
        )
        # Connected here and not by its constructor, which would hide the socket until the server has greeted; the name
        # is what TLS holds the certificate against.
        server._host = host  # type: ignore[attr-defined]
        with _cut_off(patience.attempt_s, lambda: server.sock), server:
            server.connect(host, port)
            server.ehlo()
            if not is_tls and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                is_tls = True
            if url.username:
                if not is_tls and not _is_here(host):
                    return "the mail server offers no TLS, and the password would be seen on the way"
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(message)
    except smtplib.SMTPAuthenticationError as e:
        return f"the mail server answered {e.smtp_code}: it does not take this user and password"
    except smtplib.SMTPResponseException as e:
        return f"the mail server answered {e.smtp_code}"
    except smtplib.SMTPRecipientsRefused as e:
        codes = ", ".join(sorted({str(code) for code, _said in e.recipients.values()}))
        return f"the mail server answered {codes}: it does not take the address that the mail is for"
    except (OSError, smtplib.SMTPException, ValueError) as e:
        return f"the mail server cannot be used: {_why(e)}"
    return ""


@contextmanager
def _cut_off(after_s: float, of: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Ends the connection once the attempt has had its time, whatever still drips in."""

    was_cut = threading.Event()

    def cut() -> None:
        was_cut.set()
        with suppress(OSError):  # over by itself just now
            if (open_now := of()) is not None:
                open_now.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(after_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, smtplib.SMTPException) as e:
        if was_cut.is_set():
            raise TimeoutError from e
        raise
    finally:
        timer.cancel()


def _why(e: Exception) -> str:
    """What went wrong, in words that hold nothing of what the other side said."""
    # smtplib tells of a server that is silent as of one that went away.
    match e.__context__ if isinstance(e, smtplib.SMTPServerDisconnected) else e:
        case TimeoutError():
            return "it did not answer in time"
        case ConnectionRefusedError():
            return "nobody listens there"
        case socket.gaierror():
            return "its name is not known"
        case ssl.SSLCertVerificationError():
            return "its certificate is not one that this machine trusts (SSL_CERT_FILE names others)"
        case http.client.RemoteDisconnected() | ConnectionError():
            return "it closed the connection"
        case _:
            return type(e).__name__


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""How does a notice reach whom it is for? One attempt: a POST to a webhook, Slack's form of it, or a mail.

Gives why it was not delivered, or nothing. What an address or a server says is never repeated: either may hold a token.
"""

import http.client
import ipaddress
import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any, assert_never
from urllib.parse import unquote, urlsplit

from weyr.core.capability import Channel, NoticeBody
from weyr.core.ref import Ref

ANSWER_TIMEOUT_S = 5.0
SUBMISSION_PORT, SMTPS_PORT = 587, 465

Read = Callable[[Ref], bytes | None]
"""The value of a secret, None where it has none."""


def tell(id: str, sent_at: float, body: NoticeBody, read: Read) -> str:
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
            return _post(hidden or body.to, id, content)
        case Channel.SLACK:
            return _post(hidden, id, slack_message(body))
        case Channel.EMAIL:
            return _mail(hidden, mail_of(id, body))
        case _:
            assert_never(body.channel)


def slack_message(body: NoticeBody) -> Mapping[str, Any]:
    """Source: Slack's incoming webhooks (api.slack.com/messaging/webhooks): `text` is the line of the notification,
    blocks are what the channel shows, a section's fields ten at most."""
    fields = [{"type": "mrkdwn", "text": f"*{_plain(n)}*\n{_plain(v)}"} for n, v in list(body.details.items())[:10]]
    section: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": _plain(body.text)}}
    return {"text": _plain(body.text), "blocks": [section | ({"fields": fields} if fields else {})]}


def mail_of(id: str, body: NoticeBody) -> EmailMessage:
    """The same identity each time: a mail program shows one that was delivered twice once."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = body.sender, body.to, body.text
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


def _post(address: str, id: str, content: Mapping[str, Any]) -> str:
    """Redirects are not followed."""
    if not is_address(address):
        return "the webhook is not an address such as https://example.org/alerts"
    url = urlsplit(address)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json", "User-Agent": "weyr", "Idempotency-Key": id}
    try:
        connection = kind(url.hostname or "", url.port, timeout=ANSWER_TIMEOUT_S)
        try:
            target = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", target, json.dumps(content).encode(), headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as e:
        return f"the webhook cannot be reached: {type(e).__name__}"
    return "" if 200 <= status < 300 else f"the webhook answered {status}"


def _mail(address: str, message: EmailMessage) -> str:
    try:
        url = urlsplit(address)
        is_tls, host = url.scheme == "smtps", url.hostname or ""
        if url.scheme not in ("smtp", "smtps") or not host:
            return "the mail server's secret is not an address such as smtp://user:password@host:587"
        port = url.port or (SMTPS_PORT if is_tls else SUBMISSION_PORT)
        context = ssl.create_default_context()
        server: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=ANSWER_TIMEOUT_S, context=context)
            if is_tls
            else smtplib.SMTP(host, port, timeout=ANSWER_TIMEOUT_S)
        )
        with server:
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
    except smtplib.SMTPResponseException as e:
        return f"the mail server answered {e.smtp_code}"
    except (OSError, smtplib.SMTPException, ValueError) as e:
        return f"the mail server cannot be used: {type(e).__name__}"
    return ""


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

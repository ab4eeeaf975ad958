"""What keeps a stack from standing, and what is the next thing to type? One diagnostic per object that does not."""

import re
from collections.abc import Sequence

from weyr.cli.client import Client
from weyr.cli.objects import BROKEN, FOR_A_PERSON, Outcome, Row
from weyr.core.diagnostic import Diagnostic, WeyrError
from weyr.core.phase import Phase

LOG_TAIL_LINES = 10
_SUMMARIES = {Phase.FAILED: "An object failed", Phase.HELD: "An object is held"}
_REF = re.compile(r"([a-z0-9-]+:)?[a-z]+/")


def complaints(client: Client, outcome: Outcome, rows: Sequence[Row]) -> list[Diagnostic]:
    """Diagnostics of all that failed, is held or still waits; causes come last, next to the prompt."""
    told = [row for row in rows if row.phase in BROKEN or row.phase is Phase.WAITING]
    found = [_complaint(client, row) for row in sorted(told, key=_is_cause)]
    if outcome is Outcome.REMOVED:
        detail = "All of it was removed while it was followed. Nothing of it is left."
        found.append(Diagnostic("The stack was taken down", detail, suggestion="weyr events"))
    if outcome is Outcome.TIMED_OUT:
        stack = rows[0].stack if rows else ""
        detail = "The time given with --timeout is up. The stack goes on by itself."
        follow = f"weyr events --stack {stack} --follow" if stack else "weyr get"
        found.append(Diagnostic("Not finished in time", detail, suggestion=follow))
    return found


def _is_cause(row: Row) -> bool:
    """Whether the row is a cause rather than something that waits for one."""
    return row.phase in BROKEN or row.reason in FOR_A_PERSON


def _complaint(client: Client, row: Row) -> Diagnostic:
    has_log = row.kind in ("job", "endpoint") and row.phase is Phase.FAILED
    detail = sentence(row.message or row.reason or "it does not say why")
    # The stack is part of the address: other stacks may have an object of the same name.
    address = f"{row.stack}:{row.ref}"
    if row.reason in FOR_A_PERSON:
        next_step = f"weyr secret set {row.stack}/{row.name}"
    else:
        next_step = f"weyr {'logs' if has_log else 'describe'} {address}"
    if has_log:
        detail += _log_tail(client, address)
    return Diagnostic(_SUMMARIES.get(row.phase, "An object still waits"), detail, ref=row.ref, suggestion=next_step)


def sentence(message: str) -> str:
    """A message as a sentence. One that begins with an address is left as it is: an address has no capital."""
    first = message[:1] if _REF.match(message) else message[:1].upper()
    return f"{first}{message[1:].rstrip('.')}."


def _log_tail(client: Client, address: str) -> str:
    """How the log ends, to be put behind a sentence; nothing where there is none or it does not come."""
    try:
        lines = list(client.lines("/v1/logs", ref=address, follow="0", tail=LOG_TAIL_LINES))
    except WeyrError:
        return ""
    return "".join(["\nIts log ends with:", *(f"\n  | {line.rstrip()}" for line in lines)]) if lines else ""

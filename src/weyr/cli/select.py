"""Which objects does the user mean? A kind, a ref in either printed form, and perhaps a stack."""

from dataclasses import dataclass
from importlib import import_module

from weyr.cli.client import Client
from weyr.cli.objects import Row, rows_of
from weyr.core.diagnostic import Diagnostic, UserError, did_you_mean
from weyr.core.ref import Ref


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter for the list of objects; empty parts let everything through."""

    text: str
    stack: str = ""
    kind: str = ""
    name: str = ""


def selection_of(text: str, stack: str) -> Selection:
    """Reads `job`, `jobs`, `job/train` and `digits:job/train`. Raises: UserError."""
    if "/" not in text and ":" not in text:
        return Selection(text, stack, text.removesuffix("s"))
    try:
        ref = Ref.parse(text, stack)
    except ValueError as e:
        raise UserError(Diagnostic("Not an address", f"{e}.", suggestion="weyr get")) from e
    return Selection(text, ref.stack, ref.kind, ref.name)


def not_an_address(text: str) -> Diagnostic:
    """What is wrong with a word where one object should be named."""
    return Diagnostic(
        "Not an address", f"{text!r} is not an address; write kind/name, such as job/train.", suggestion="weyr get"
    )


def refuse_unknown_kind(client: Client, chosen: Selection) -> None:
    """Raises: UserError where what was chosen is of no kind, with the kind or the stack that may be meant."""
    # Loaded only when nothing was found: the kinds take longer than all of `weyr get`.
    kinds = import_module("weyr.compose.kinds").KINDS
    if chosen.kind in kinds:
        return
    stacks = [entry.get("stack") or entry.get("name") for entry in client.call("GET", "/v1/stacks").get("stacks") or []]
    next_step = f"weyr get --stack {chosen.text}" if chosen.text in stacks else "weyr explain"
    detail = f"There is no kind {chosen.text!r}.{did_you_mean(chosen.kind, kinds)}"
    raise UserError(Diagnostic("Unknown kind", detail, suggestion=next_step))


def the_object(client: Client, text: str, stack: str) -> Row:
    """The one object that a ref names. Raises: UserError where there is none or there are several."""
    chosen = selection_of(text, stack)
    if not chosen.name:
        raise UserError(not_an_address(text))
    rows = rows_of(client.call("GET", "/v1/objects", stack=chosen.stack, kind=chosen.kind, name=chosen.name))
    rows = [row for row in rows if (row.kind, row.name) == (chosen.kind, chosen.name)]
    if len(rows) == 1:
        return rows[0]
    if rows:
        stacks = ", ".join(sorted(row.stack for row in rows))
        detail = f"Several stacks have a {text}: {stacks}."
        raise UserError(Diagnostic("Which stack?", detail, suggestion=f"weyr get {rows[0].stack}:{text}"))
    known = [row.ref for row in rows_of(client.call("GET", "/v1/objects", stack=chosen.stack))]
    detail = f"There is no {text}{f' in {chosen.stack}' if chosen.stack else ''}."
    raise UserError(Diagnostic("No such object", detail + did_you_mean(text, known), suggestion="weyr get"))

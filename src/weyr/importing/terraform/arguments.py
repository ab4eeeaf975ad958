"""How are a block's arguments made? Each its own way to a value, with inner and dynamic blocks as lists of mappings."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from weyr.importing.terraform.evaluate import Scope, evaluate
from weyr.importing.terraform.syntax import Block, Literal, Name
from weyr.ledger.terraform.resources import Unknown

META = ("count", "for_each", "provider", "providers", "depends_on", "lifecycle", "provisioner", "connection")
"""What is said about a block, and not of what it makes."""


def making_of(block: Block, scope: Scope) -> dict[str, Callable[[], Any]]:
    """How each argument and inner block of `block` is made."""
    making: dict[str, Callable[[], Any]] = {
        name: partial(evaluate, expression, scope) for name, expression in block.attributes.items() if name not in META
    }
    for kind in dict.fromkeys(_kind(inner) for inner in block.blocks):
        if kind not in META:
            making[kind] = partial(_inner, [each for each in block.blocks if _kind(each) == kind], scope)
    return making


def _kind(block: Block) -> str:
    return block.labels[0] if block.kind == "dynamic" and block.labels else block.kind


def _inner(blocks: list[Block], scope: Scope) -> list[Any]:
    """Blocks of one kind as a list of mappings, the dynamic ones once for each of theirs."""
    made: list[Any] = []
    for block in blocks:
        if block.kind != "dynamic":
            made.append({name: each() for name, each in making_of(block, scope).items()})
            continue
        of = evaluate(block.attributes.get("for_each", Literal([])), scope)
        named = block.attributes.get("iterator")
        iterator = named.name if isinstance(named, Name) else block.labels[0]
        pairs = (
            list(of.items())
            if isinstance(of, Mapping)
            else list(enumerate([] if isinstance(of, Unknown) else of or []))
        )
        for key, value in pairs:
            near = scope.with_names({iterator: {"key": key, "value": value}})
            made.extend(
                {n: each() for n, each in making_of(content, near).items()} for content in block.inner("content")
            )
    return made

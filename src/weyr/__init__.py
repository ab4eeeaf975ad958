"""Weyr: one file describes an AI system; Weyr plans it, brings it up, keeps it that way, and accounts for it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weyr.library.model import model as model

__all__ = ["model"]


def __getattr__(name: str) -> Any:
    # Loaded by its name: what runs in tasks imports this package too, and must not wait for a client of the server.
    if name == "model":
        return import_module("weyr.library.model").model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

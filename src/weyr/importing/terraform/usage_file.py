"""What does a usage file say is used? Infracost's form, version 0.1, read and complained about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import yaml

from weyr.core.diagnostic import Diagnostic, Place, UserError
from weyr.ledger.terraform.usage import Usage

SECTIONS = {"version", "resource_usage", "resource_type_default_usage"}


def read_usage(text: str, file: str) -> Usage:
    """Raises: UserError with every problem."""
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        place = Place(file, mark.line + 1) if mark else Place(file)
        raise UserError(Diagnostic("Not YAML", str(getattr(e, "problem", e)), place=place)) from e
    if not isinstance(document, dict):
        raise UserError(Diagnostic("Not a usage file", f"{file} is no mapping.", suggestion="resource_usage:"))
    problems = [
        Diagnostic(
            "Not a usage file", f"{file}: there is no section `{name}`; there are {', '.join(sorted(SECTIONS))}."
        )
        for name in document
        if name not in SECTIONS
    ]
    sections = {}
    for name in ("resource_usage", "resource_type_default_usage"):
        sections[name] = found = document.get(name) or {}
        problems += [
            Diagnostic("Not a usage file", f"{file}: `{name}: {key}` is no mapping of amounts.")
            for key, value in (found.items() if isinstance(found, dict) else [("", found)])
            if value is not None and not isinstance(value, dict)
        ]
    if problems:
        raise UserError(*problems)
    return Usage(_exact(sections["resource_usage"]), _exact(sections["resource_type_default_usage"]))


def _exact(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(key): {k: _value(v) for k, v in (each or {}).items()} for key, each in values.items()}


def _value(value: Any) -> Any:
    """Amounts are exact: what YAML read as a float is as it was written."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return {key: _value(each) for key, each in value.items()} if isinstance(value, dict) else value

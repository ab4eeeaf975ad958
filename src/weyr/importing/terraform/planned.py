"""Which resources does a plan or a state make, as `terraform show -json` writes it?

Values that are only known after the apply become `Unknown`, with the resources that the configuration makes them from.
Source: developer.hashicorp.com/terraform/internals/json-format, format versions 0.1 to 1.x.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.terraform.resources import Resource, Resources, Sourced, Unknown

_INDEX = re.compile(r"\[[^\]]*\]")
DEPTH_MAX = 20


def read_plan(text: str, file: str, region: str = "") -> Resources:
    """All managed resources after the apply. `region` goes before what the plan says. Raises: UserError."""
    try:
        document = json.loads(text, parse_float=Decimal)
    except ValueError as e:
        raise UserError(Diagnostic("Not a plan in JSON", f"{file}: {e}.", suggestion=_HOW)) from e
    planned = document.get("planned_values") or document.get("values") if isinstance(document, dict) else None
    if not isinstance(planned, dict):
        detail = f"{file} has neither planned_values nor values: it is no output of `terraform show -json`."
        raise UserError(Diagnostic("Not a plan in JSON", detail, suggestion=_HOW))
    return Resources(tuple(_Plan(document, region).resources(planned.get("root_module") or {}, "")))


_HOW = "terraform show -json PLAN > plan.json"


class _Plan:
    def __init__(self, document: Mapping[str, Any], region: str) -> None:
        self.region = region
        self.variables: Mapping[str, Any] = document.get("variables") or {}
        configuration = document.get("configuration") or {}
        self.providers: Mapping[str, Any] = configuration.get("provider_config") or {}
        self.root: Mapping[str, Any] = configuration.get("root_module") or {}
        self.unknown = {
            str(change.get("address")): (change.get("change") or {}).get("after_unknown") or {}
            for change in document.get("resource_changes") or []
        }

    def resources(self, module: Mapping[str, Any], path: str) -> Iterator[Resource]:
        for each in module.get("resources") or []:
            if each.get("mode", "managed") == "managed":
                yield self._resource(each, path)
        for child in module.get("child_modules") or []:
            yield from self.resources(child, str(child.get("address", "")))

    def _resource(self, planned: Mapping[str, Any], path: str) -> Resource:
        address, kind = str(planned.get("address")), str(planned.get("type"))
        configured = self._configured(path, f"{kind}.{planned.get('name')}")
        expressions = configured.get("expressions") or {}
        values = self._merged(planned.get("values") or {}, self.unknown.get(address, {}), expressions, path)
        return Resource(address, kind, values, self._region(values, configured))

    def _module(self, path: str) -> Mapping[str, Any]:
        module = self.root
        for name in re.findall(r"module\.([^.\[]+)", path):
            module = ((module.get("module_calls") or {}).get(name) or {}).get("module") or {}
        return module

    def _configured(self, path: str, name: str) -> Mapping[str, Any]:
        found: list[Mapping[str, Any]] = self._module(path).get("resources") or []
        return next((each for each in found if each.get("address") == name), {})

    def _merged(self, values: Any, unknown: Any, expressions: Any, path: str) -> Any:
        """The values, with `Unknown` wherever the plan says that one is known only after the apply. A text that was
        taken from other resources remembers them."""
        if unknown is True:
            return Unknown(self._refs(expressions, path))
        if isinstance(values, dict):
            made = unknown if isinstance(unknown, dict) else {}
            written = expressions if isinstance(expressions, dict) else {}
            names = [*values, *(name for name in made if name not in values and made[name] is True)]
            return {name: self._merged(values.get(name), made.get(name), written.get(name), path) for name in names}
        if isinstance(values, list):
            kinds = unknown if isinstance(unknown, list) else []
            below = expressions if isinstance(expressions, list) else []
            return [
                self._merged(each, _at(kinds, n), _at(below, n) if below else expressions, path)
                for n, each in enumerate(values)
            ]
        refs = self._refs(expressions, path) if isinstance(values, str) else ()
        return Sourced(values, refs) if refs else values

    def _refs(self, expression: Any, path: str, depth: int = 0) -> tuple[str, ...]:
        """The addresses that an expression is made from, through the variables of modules."""
        if depth > DEPTH_MAX:
            return ()
        found: list[str] = []
        for one in expression if isinstance(expression, list) else [expression]:
            for name in (one.get("references") or []) if isinstance(one, dict) else []:
                found.extend(self._meant(str(name), path, depth))
        return tuple(dict.fromkeys(found))

    def _meant(self, name: str, path: str, depth: int) -> tuple[str, ...]:
        parts = name.split(".")
        if parts[0] == "var" and path and len(parts) > 1:
            above, _, last = path.rpartition("module.")
            call = (self._module(above.rstrip(".")).get("module_calls") or {}).get(_INDEX.sub("", last)) or {}
            return self._refs((call.get("expressions") or {}).get(parts[1]), above.rstrip("."), depth + 1)
        if parts[0] == "module" and len(parts) > 2:
            inner = f"{path}.module.{parts[1]}" if path else f"module.{parts[1]}"
            output = (self._module(inner).get("outputs") or {}).get(parts[2]) or {}
            return self._refs(output.get("expression"), inner, depth + 1)
        if len(parts) < 2 or parts[0] in ("var", "local", "each", "count", "data", "path"):
            return ()
        address = ".".join(parts[:2])
        return (f"{path}.{address}" if path else address,)

    def _region(self, values: Mapping[str, Any], configured: Mapping[str, Any]) -> str:
        own = values.get("region")
        if self.region:
            return self.region
        if isinstance(own, str) and own:
            return own
        key = str(configured.get("provider_config_key", "")).rpartition(":")[2]
        config = self.providers.get(key) or self.providers.get(key.split(".")[0]) or {}
        expression = (config.get("expressions") or {}).get("region") or {}
        if "constant_value" in expression:
            return str(expression["constant_value"])
        for name in expression.get("references") or []:
            if name.startswith("var."):
                return str((self.variables.get(name.removeprefix("var.")) or {}).get("value") or "")
        return ""


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None

"""What does an object's stored text say? Specs and memories as their kind reads them, each read once."""

from dataclasses import dataclass, field
from typing import Any

from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import ValidationError, from_json
from weyr.store.kernel import ObjectRow


@dataclass(slots=True)
class Parsed:
    """Reading a text takes longer than deciding on what it says, and it seldom changes."""

    _known: dict[Ref, dict[type, tuple[str, Any]]] = field(default_factory=dict)

    def spec(self, row: ObjectRow, kind: AnyKind) -> Any:
        """Raises: ValidationError where today's kind cannot read it."""
        return self._value(row.ref, kind.spec, row.spec or row.next_spec or "")

    def spec_if_readable(self, row: ObjectRow, kind: AnyKind) -> Any:
        """What runs costs money whether or not today's kind can read what it was asked for."""
        try:
            return self.spec(row, kind) if row.spec or row.next_spec else None
        except ValidationError:
            return None

    def memory(self, row: ObjectRow, kind: AnyKind) -> Any:
        """Raises: ValidationError."""
        return self._value(row.ref, kind.memory, row.memory) if row.memory and kind.memory else None

    def forget(self, ref: Ref) -> None:
        self._known.pop(ref, None)

    def _value(self, ref: Ref, of: type, text: str) -> Any:
        known = self._known.setdefault(ref, {})
        if of not in known or known[of][0] != text:
            known[of] = text, from_json(of, text)
        return known[of][1]

"""What does an object's stored text say? Specs and memories as their kind reads them, each read once."""

from dataclasses import dataclass, field
from typing import Any

from weyr.core.kind import AnyKind
from weyr.core.ref import Ref
from weyr.core.schema import ValidationError, from_json
from weyr.store.kernel import ObjectRow

SPECS_MAX = 1_000


@dataclass(slots=True)
class Parsed:
    """Reading a text takes longer than deciding on what it says, and it seldom changes."""

    _known: dict[Ref, dict[type, tuple[str, Any]]] = field(default_factory=dict)
    _specs: dict[tuple[type, str], Any] = field(default_factory=dict)
    """The newest specs by their text: a thousand runs of one job have the same one."""

    def spec(self, row: ObjectRow, kind: AnyKind) -> Any:
        """Raises: ValidationError where today's kind cannot read it."""
        of, text = kind.spec, row.spec or row.next_spec or ""
        known = self._known.setdefault(row.ref, {})
        if of not in known or known[of][0] != text:
            if (of, text) not in self._specs:
                if len(self._specs) >= SPECS_MAX:
                    self._specs.clear()
                self._specs[of, text] = from_json(of, text)
            known[of] = text, self._specs[of, text]
        return known[of][1]

    def spec_if_readable(self, row: ObjectRow, kind: AnyKind) -> Any:
        """What runs costs money whether or not today's kind can read what it was asked for."""
        try:
            return self.spec(row, kind) if row.spec or row.next_spec else None
        except ValidationError:
            return None

    def memory(self, row: ObjectRow, kind: AnyKind) -> Any:
        """Raises: ValidationError."""
        if not row.memory or not kind.memory:
            return None
        known = self._known.setdefault(row.ref, {})
        if kind.memory not in known or known[kind.memory][0] != row.memory:
            known[kind.memory] = row.memory, from_json(kind.memory, row.memory)
        return known[kind.memory][1]

    def keep(self, ref: Ref, of: type, text: str, memory: Any) -> None:
        """A memory was written as this text: it need not be read from it."""
        self._known.setdefault(ref, {})[of] = text, memory

    def forget(self, ref: Ref) -> None:
        self._known.pop(ref, None)

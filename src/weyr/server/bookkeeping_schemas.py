"""What do the bodies of the accounts look like? As `weyr.server.schemas` has the rest."""

from weyr.server.schema_words import COUNT, FLAG, MICROS, MOMENT, TEXT, Schema, listed, maybe, of, record, told

_CHARGE = {"stack": "digits", "source": "openai", "sku": "tokens.in", "micros": 12_500_000, "quantity": 5_000_000,
           "day": "2026-11-03", "labels": {"team": "support"}}  # fmt: skip
_PERIOD_FIELDS = {"period": TEXT, "last_day": TEXT, "closed_at": MOMENT, "who": TEXT, "lines": COUNT, "head": TEXT}
_PERIOD = {"period": "2026-10", "last_day": "2026-10-31", "closed_at": 1_793_577_600.0, "who": "admin", "lines": 41,
           "head": "9f2c" * 16}  # fmt: skip
_LINE = {"line": 41, "day": "2026-11-03", "thing": "digits:job/train#1", "sku": "task.cpu", "micros": 674,
         "debit": "expense:digits:job/train", "credit": "payable:aws/fargate", "from": 1_793_577_600.0,
         "to": 1_793_577_660.0, "used": "60000000", "entry": "", "note": "", "who": ""}  # fmt: skip

BOOKKEEPING_SCHEMAS: dict[str, Schema] = {
    "Entry": record(
        "Amounts that are posted together, once under this id.",
        {"id": TEXT, "reason": TEXT, "charges": listed(of("Charge"))},
        {"id": "openai-2026-11-03", "reason": "invoice 4711", "charges": [_CHARGE]},
        ("reason",),
    ),
    "Charge": record(
        "What one object, or a stack, owes to a source for a UTC day; less than nothing is a credit.",
        {
            "stack": TEXT,
            "object": told(TEXT, "kind/name; without it, what the stack has from the source."),
            "source": told(TEXT, "Who is owed, such as openai."),
            "sku": TEXT,
            "micros": MICROS,
            "quantity": told(COUNT, "Units of the SKU, if the bill says."),
            "day": TEXT,
            "labels": {"type": "object", "additionalProperties": TEXT},
        },
        _CHARGE,
        ("object", "sku", "quantity", "labels"),
    ),
    "Entered": record(
        "What came of it. `is_new` false: it was posted before, and nothing was posted now.",
        {"id": TEXT, "is_new": FLAG, "lines": COUNT, "micros": MICROS},
        {"id": "openai-2026-11-03", "is_new": True, "lines": 1, "micros": 12_500_000},
    ),
    "Correction": record(
        "A line of the journal and what it should have come to.",
        {"line": COUNT, "micros": maybe(MICROS), "reason": TEXT},
        {"line": 41, "micros": 30_000, "reason": "half of it was a test"},
        ("micros",),
    ),
    "PeriodName": record("A UTC month.", {"period": TEXT}, {"period": "2026-10"}),
    "Period": record("A closed month, and where the journal stood then.", _PERIOD_FIELDS, _PERIOD),
    "Periods": record("The closed months, oldest first.", {"periods": listed(of("Period"))}, {"periods": [_PERIOD]}),
    "Lines": record("Lines of the journal.", {"lines": listed(of("Line"))}, {"lines": [_LINE]}),
    "Line": record(
        "`micros` moved from `credit` to `debit`; less than nothing where use was taken back.",
        {
            "line": COUNT,
            "day": TEXT,
            "thing": TEXT,
            "sku": TEXT,
            "micros": MICROS,
            "debit": TEXT,
            "credit": TEXT,
            "from": MOMENT,
            "to": MOMENT,
            "used": told(TEXT, "Quantity times milliseconds."),
            "entry": TEXT,
            "note": TEXT,
            "who": TEXT,
        },
        _LINE,
    ),
    "Proof": record(
        "Whether the journal is what was posted, and the hash of its last line.",
        {"lines": COUNT, "head": TEXT, "is_whole": FLAG, "fault": TEXT},
        {"lines": 41, "head": "9f2c" * 16, "is_whole": True, "fault": ""},
    ),
}

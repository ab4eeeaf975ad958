"""What do the bodies of money look like? Bills, their days, and what could be spent less."""

from weyr.ledger.advice.values import Confidence, Rule
from weyr.server.schema_words import COUNT, FLAG, MICROS, MOMENT, TEXT, Schema, listed, maybe, of, record, told, words

_SAVING = {
    "id": "digits:job/train:oversized", "rule": "oversized", "stack": "digits", "ref": "job/train",
    "detail": "it used at most 0.4 of its 4 CPUs in 3h.", "micros_per_month": 12_400_000, "confidence": "medium",
    "changes": [{"ref": "job/train", "path": ["jobs", "train", "resources", "cpu"], "value": 0.6, "before": 4,
                 "text": "job/train resources.cpu: 0.6"}],
    "by_hand": "", "loses": "", "wake": "",
}  # fmt: skip

_TOKEN = {"name": "ann", "grants": ["api:read:*", "budget:limit:team/vision"]}
_TEAM = {"name": "vision", "members": ["ann", "bob"]}

_UNIT = {
    "key": "digits:endpoint/digits", "micros": 96_000, "requests": 12_000, "tokens_in": 0, "tokens_out": 0,
    "per_thousand_requests_micros": 8_000, "per_million_tokens_in_micros": None, "per_million_tokens_out_micros": None,
}  # fmt: skip
_OF_SOME = (
    "requests", "tokens_in", "tokens_out", "runs", "per_thousand_requests_micros", "per_million_tokens_in_micros",
    "per_million_tokens_out_micros", "per_run_micros", "name", "experiment", "status", "task", "started_at", "ended_at",
)  # fmt: skip

MONEY_SCHEMAS: dict[str, Schema] = {
    "Teams": record("Every team.", {"teams": listed(of("Team"))}, {"teams": [_TEAM]}),
    "Team": record("A team and who is of it.", {"name": TEXT, "members": listed(TEXT)}, _TEAM),
    "TeamMembers": record("Who a team is.", {"members": listed(TEXT)}, {"members": ["ann", "bob"]}),
    "Grants": record(
        "What a token may do.",
        {"grants": listed(TEXT, "Such as budget:limit:team/vision; a trailing * stands for any rest.")},
        {"grants": _TOKEN["grants"]},
    ),
    "Token": record(
        "A token that was given.",
        {"name": TEXT, "grants": listed(TEXT), "token": told(TEXT, "Only its hash is kept.")},
        {**_TOKEN, "token": "weyr_..."},
    ),
    "Tokens": record("Who has a token.", {"tokens": listed(of("TokenHolder"))}, {"tokens": [_TOKEN]}),
    "Me": record("Whose the token is.", {"name": TEXT, "grants": listed(TEXT)}, _TOKEN),
    "TokenHolder": record("Somebody who has one.", {"name": TEXT, "grants": listed(TEXT)}, _TOKEN),
    "Advice": record(
        "What could be spent less.",
        {
            "currency": TEXT,
            "savings": listed(of("Saving"), "Dearest first."),
            "micros_per_month": told(MICROS, "All together; of several for one object the largest."),
            "unpriced": told(COUNT, "How many have no price."),
        },
        {"currency": "USD", "savings": [_SAVING], "micros_per_month": 12_400_000, "unpriced": 0},
    ),
    "Saving": record(
        "One finding: what is wasted, what it costs in a month, and the change to the stack file that ends it.",
        {
            "id": TEXT,
            "rule": words(Rule, "What is wasted."),
            "stack": TEXT,
            "ref": TEXT,
            "detail": TEXT,
            "micros_per_month": maybe(MICROS),
            "confidence": words(Confidence, "How much was seen before it was said."),
            "changes": listed({"type": "object"}, "Fields of the file by their path: ref, path, value, before, text."),
            "by_hand": told(TEXT, "What a person has to do, where no change of the file would."),
            "loses": told(TEXT, "What goes for good with it."),
            "wake": told(TEXT, "How to have it back."),
        },
        _SAVING,
    ),
    "Cost": record(
        "The bill.",
        {
            "currency": TEXT,
            "rows": listed(of("CostRow")),
            "others": told(maybe(of("CostOthers")), "What `top` leaves out; null where it leaves out nothing."),
            "total_micros": MICROS,
            "rate_micros_per_hour": MICROS,
            "by": TEXT,
            "month": TEXT,
            "month_micros": told(MICROS, "Spent in the running month."),
            "forecast_month_micros": MICROS,
            "unpriced": listed(TEXT, "What no price is known for."),
        },
        {
            "currency": "USD",
            "rows": [{"key": "digits:job/train", "micros": 310, "rate_micros_per_hour": 0}],
            "others": None,
            "total_micros": 310,
            "rate_micros_per_hour": 14_820,
            "by": "object",
            "month": "2026-11",
            "month_micros": 310,
            "forecast_month_micros": 10_818_600,
            "unpriced": [],
        },
        ("by", "month", "month_micros", "unpriced"),
    ),
    "CostOthers": record(
        "What the rows come to that are not told one by one, and how many they are.",
        {"rows": COUNT, "micros": MICROS, "rate_micros_per_hour": MICROS},
        {"rows": 250_380, "micros": 674_000_000, "rate_micros_per_hour": 0},
    ),
    "CostRow": record(
        "What one key cost, and what it spends now.",
        {"key": TEXT, "micros": MICROS, "rate_micros_per_hour": MICROS},
        {"key": "digits:job/train", "micros": 310, "rate_micros_per_hour": 0},
    ),
    "CostDays": record(
        "What was spent on each day.",
        {
            "currency": TEXT,
            "by": TEXT,
            "days": listed(TEXT),
            "rows": listed(of("CostDaysRow")),
            "month_days": listed(TEXT),
            "month_micros": listed(MICROS, "What the month had come to at the end of each of its days, up to today."),
            "forecast_micros": listed(MICROS, "How that goes on: one for each day of the month from today on."),
        },
        {
            "currency": "USD",
            "by": "object",
            "days": ["2026-11-22"],
            "month_days": ["2026-11-22"],
            "month_micros": [310],
            "forecast_micros": [650],
            "rows": [{"key": "digits:job/train", "micros": [310]}],
        },
    ),
    "CostDaysRow": record(
        "What one key cost on each day.",
        {"key": TEXT, "micros": listed(MICROS)},
        {"key": "digits:job/train", "micros": [310]},
    ),
    "CostUnits": record(
        "What one of something costs.",
        {
            "currency": TEXT,
            "by": TEXT,
            "weight": COUNT,
            "rows": listed(of("CostUnit")),
            "is_fresh": told(FLAG, "Whether the counters were read for this answer."),
        },
        {"currency": "USD", "by": "endpoint", "weight": 4, "rows": [_UNIT], "is_fresh": True},
    ),
    "CostUnit": record(
        "An endpoint, a run, or a version that runs made or read: what it cost, and what of that one is.",
        {
            "key": told(TEXT, "An object, a run's id, NAME@VERSION, or an experiment's name."),
            "micros": MICROS,
            **dict.fromkeys(("requests", "tokens_in", "tokens_out", "runs"), COUNT),
            "per_thousand_requests_micros": maybe(MICROS),
            "per_million_tokens_in_micros": maybe(MICROS),
            "per_million_tokens_out_micros": maybe(MICROS),
            "per_run_micros": MICROS,
            **dict.fromkeys(("name", "experiment", "status", "task"), TEXT),
            "started_at": MOMENT,
            "ended_at": maybe(MOMENT),
        },
        _UNIT,
        _OF_SOME,
    ),
    "LineCount": record("How many rows an export has.", {"lines": COUNT}, {"lines": 1440}),
}

"""What do the API's bodies look like? JSON Schemas by name, each with an example.

They say what the API promises, no more: a client must pass over fields that it does not know.
"""

from weyr.core.decision import ConditionType, Phase
from weyr.core.diagnostic import Severity
from weyr.core.seen import EndReason
from weyr.server.bookkeeping_schemas import BOOKKEEPING_SCHEMAS
from weyr.server.money_schemas import MONEY_SCHEMAS
from weyr.server.schema_words import COUNT, FLAG, METRICS, MICROS, MOMENT, NUMBER, TEXT, Schema, of
from weyr.server.schema_words import listed as _list
from weyr.server.schema_words import maybe as _maybe
from weyr.server.schema_words import record as _record
from weyr.server.schema_words import told as _told
from weyr.server.schema_words import words as _words

_EVENT = {"id": 41, "at": 1763812345.2, "stack": "digits", "ref": "job/train", "plan": "5f0c2a7d1b9e4c33",
          "event": "attempt.reclaimed", "message": "its node was reclaimed; attempt 2 follows"}  # fmt: skip
_STEP = {"action": "create", "symbol": "+", "ref": "bucket/lake", "kind": "bucket", "name": "lake", "generation": 1,
         "from_generation": 0, "reason": "", "needs": [], "fields": []}  # fmt: skip
_DIAGNOSTIC = {
    "severity": "fatal", "summary": "Unknown field", "detail": 'There is no field "memry". Did you mean "memory"?',
    "place": {"file": "weyr.yaml", "line": 12, "column": 5}, "ref": "job/train", "suggestion": "weyr explain job",
}  # fmt: skip
_CONDITION = {"type": "Ready", "status": False, "reason": "Running", "message": "attempt 2, epoch 12"}
_THING = {"id": "digits:job/train#2", "part": "2", "capability": "TaskRunner", "state": "running"}
_RUN = {
    "run_id": "0f6d5a3e9b7c4d21", "experiment": "digits", "name": "train-2", "status": "FINISHED",
    "started_at": 1763812345.2, "ended_at": 1763812371.9, "metrics": {"accuracy": 0.9722}, "params": {"epochs": "30"},
}  # fmt: skip
_OBJECT = {
    "ref": "job/train", "stack": "digits", "kind": "job", "name": "train", "phase": "working", "generation": 1,
    "conditions": [_CONDITION], "outputs": {}, "things": [_THING], "rate_micros_per_hour": 14_820, "cost_micros": 310,
    "updated_at": 1763812345.2,
}  # fmt: skip
_NOTHING = {"micros": 0, "least_micros": 0, "most_micros": 0, "is_complete": True, "unpriced": []}
_AMOUNT = {"micros": 23_000, "least_micros": 23_000, "most_micros": 23_000, "is_complete": True, "unpriced": []}
_PLAN_COST = {
    "currency": "USD", "price_as": "aws/fargate", "before": _NOTHING, "after": _AMOUNT, "delta_micros": 23_000,
    "one_run": None, "standing": _AMOUNT, "run_rate_micros_per_hour": 32, "once_micros": 0, "objects": [],
    "budgets": [], "may_pass_budgets": False,
}  # fmt: skip
_PLAN = {
    "id": "5f0c2a7d1b9e4c33", "stack": "digits", "parent": "", "is_removal": False, "has_changes": True,
    "is_blocked": False, "made_at": "2026-11-22", "summary": "1 to create", "text": "+ bucket/lake ...",
    "markdown": "### Weyr ...",
    "counts": {"create": 1, "change": 0, "replace": 0, "destroy": 0}, "steps": [_STEP], "cost": _PLAN_COST,
    "drift": [], "findings": [], "prices": {"version": "3c1f0a9b7d24", "dated": "2026-03-10", "changed": []},
}  # fmt: skip

_UNIT_COST = {"since": 1763812345.2, "micros": 5000, "requests": 2000, "tokens": 0,
              "per_thousand_requests_micros": 2500, "per_million_tokens_micros": None}  # fmt: skip
_STACK = {"name": "digits", "plan": "5f0c2a7d1b9e4c33", "file": "weyr.yaml", "is_removing": False, "objects": 1,
          "phases": {"job/train": "working"}}  # fmt: skip
_STEP_ACTIONS = {"type": "string", "enum": ["create", "change", "retry", "replace", "destroy"]}

SCHEMAS: dict[str, Schema] = {
    **BOOKKEEPING_SCHEMAS,
    **MONEY_SCHEMAS,
    "PlanRequest": {
        "description": "What to plan: a file's text, or the removal of a stack.",
        "oneOf": [
            _record(
                "Plan what a stack file asks for.",
                {"text": _told(TEXT, "The file's text."), "file": _told(TEXT, "Its absolute path; relative paths begin "
                 "in its folder."), "remove": {"type": "boolean", "const": False},
                 "usage": _told(TEXT, "A usage file's text: figures in place of what would be assumed."),
                 "usage_file": _told(TEXT, "Its path, for messages."),
                 "over_budget": _told(FLAG, "Allow it to pass the stack's budgets."),
                 "for": _told(TEXT, "Whose it would be, as the administrator says: their budgets are looked at.")},
                {"text": "stack: digits\n...", "file": "weyr.yaml", "remove": False},
                ("remove", "usage", "usage_file", "over_budget", "for"),
            ),
            _record(
                "Plan the removal of everything in a stack.",
                {"stack": TEXT, "remove": {"type": "boolean", "const": True}},
                {"stack": "digits", "remove": True},
            ),
        ],
        "examples": [{"stack": "digits", "remove": True}],
    },
    "Plan": _record(
        "An immutable answer to: what would change, and what would it cost?",
        {"id": TEXT, "stack": TEXT, "parent": _told(TEXT, "The plan that was applied before; empty for the first."),
         "is_removal": FLAG, "has_changes": FLAG, "is_blocked": _told(FLAG, "Whether a finding forbids to apply it."),
         "made_at": TEXT, "summary": TEXT, "text": _told(TEXT, "The plan as `weyr plan` prints it."),
         "markdown": _told(TEXT, "The plan as a comment on a pull request."),
         "counts": {"type": "object", "additionalProperties": COUNT},
         "steps": _list(of("Step"), "In the order of work."), "cost": of("PlanCost"), "prices": of("PlanPrices"),
         "drift": _list({"type": "object"}, "What was changed outside Weyr: ref and text."),
         "findings": _list(of("Diagnostic"), "A fatal one forbids to apply the plan.")},
        _PLAN, ("made_at",),
    ),
    "PlanPrices": _record(
        "The price book that a plan was reckoned by, as it was then.",
        {"version": _told(TEXT, "Names exactly these prices."), "dated": TEXT,
         "changed": _list(TEXT, "What costs something else today.")},
        {"version": "3c1f0a9b7d24", "dated": "2026-03-10", "changed": ["task.cpu costs 4% more"]},
    ),
    "Step": _record(
        "One change to one object.",
        {"action": _STEP_ACTIONS, "symbol": TEXT, "ref": TEXT, "kind": TEXT, "name": TEXT,
         "generation": _told(COUNT, "The object's generation afterwards."), "from_generation": COUNT,
         "reason": TEXT, "needs": _list(TEXT), "fields": _list(of("FieldChange"))},
        _STEP,
    ),
    "FieldChange": _record(
        "One field that differs, as people write it.",
        {"path": TEXT, "old": _maybe(TEXT), "new": _maybe(TEXT),
         "is_replacing": _told(FLAG, "Whether it makes the object be removed and made anew.")},
        {"path": "resources.memory", "old": "512MiB", "new": "1GiB", "is_replacing": False},
    ),
    "PlanCost": _record(
        "What the stack costs per month before and after.",
        {"currency": TEXT, "price_as": TEXT, "before": of("Amount"), "after": of("Amount"), "delta_micros": MICROS,
         "one_run": _told(_maybe(of("Amount")), "One run of everything that has runs."),
         "standing": _told(of("Amount"), "What is there in a month whether anything runs to its end or not."),
         "run_rate_micros_per_hour": _told(MICROS, "Of what stands."),
         "once_micros": _told(MICROS, "What of it is new and is paid at once, for longer than a month."),
         "objects": _list({"type": "object"}, "Each with its change, figures, lines, and ways not chosen."),
         "budgets": _list({"type": "object"}, "Each with its limit, what is expected, spent and left."),
         "may_pass_budgets": FLAG},
        _PLAN_COST,
    ),
    "Amount": _record(
        "An amount of money.",
        {"micros": MICROS, "least_micros": MICROS, "most_micros": MICROS,
         "is_complete": _told(FLAG, "False: some of it has no price; the true amount is higher."),
         "unpriced": _list(TEXT)},
        _PLAN_COST["after"],
    ),
    "Applied": _record(
        "Which plan is wanted now.", {"stack": TEXT, "plan": TEXT}, {"stack": "digits", "plan": "5f0c2a7d1b9e4c33"}
    ),
    "Stacks": _record("The stacks that stand.", {"stacks": _list(of("Stack"))}, {"stacks": [_STACK]}),
    "Stack": _record(
        "One stack.",
        {"name": TEXT, "plan": _told(TEXT, "The plan applied last."), "file": TEXT, "price_as": TEXT,
         "is_removing": FLAG, "applied_at": MOMENT, "objects": _told(COUNT, "How many."),
         "phases": {"type": "object", "additionalProperties": TEXT}},
        _STACK, ("price_as", "applied_at"),
    ),
    "Objects": _record("Objects that match.", {"objects": _list(of("Object"))}, {"objects": [_OBJECT]}),
    "Object": _record(
        "One object of a stack.",
        {"ref": TEXT, "stack": TEXT, "kind": TEXT, "name": TEXT,
         "phase": _words(Phase, "One word for the conditions: the worst that holds."), "generation": COUNT,
         "conditions": _list(of("Condition")), "needs": _list(TEXT), "drifted": FLAG,
         "outputs": {"type": "object", "description": "What other objects and people may use, such as an address."},
         "things": _list(of("Thing"), "What engines hold for it: attempts, replicas, a bucket."),
         "rate_micros_per_hour": MICROS, "cost_micros": MICROS, "unit_cost": of("UnitCost"), "updated_at": MOMENT},
        _OBJECT, ("unit_cost", "needs", "drifted", "rate_micros_per_hour", "cost_micros", "updated_at"),
    ),
    "Condition": _record(
        "One thing that is true, false or unknown (null) of an object, and why.",
        {"type": _words(ConditionType, "What it is about."), "status": _maybe(FLAG), "reason": TEXT, "message": TEXT},
        _CONDITION,
    ),
    "Thing": _record(
        "One thing that an engine holds.",
        {"id": TEXT, "part": TEXT, "capability": TEXT, "generation": COUNT, "state": TEXT,
         "is_released": FLAG, "refusal": _told(TEXT, "Why the engine refused it."), "why": TEXT,
         "started_at": _maybe(MOMENT), "ended_at": _maybe(MOMENT),
         "end": _maybe(_words(EndReason, "Why a task ended.")),
         "restored": _told(TEXT, "The checkpoint that the attempt began from."), "saved": TEXT},
        _THING,
        ("generation", "state", "is_released", "refusal", "why", "started_at", "ended_at", "end", "restored", "saved"),
    ),
    "Why": _record(
        "Why an object does not run, or that it does.",
        {
            "ref": TEXT,
            "stack": TEXT,
            "phase": _words(Phase, "The object's phase."),
            "sentence": TEXT,
            "scaling": _maybe(
                {"type": "object", "properties": {"replicas": COUNT, "why": TEXT}}
            ),
            "waits": _list(
                {
                    "type": "object",
                    "properties": {
                        "tasks": _list(TEXT),
                        "sentence": TEXT,
                        "nodes": _list({"type": "object", "properties": {"node": TEXT, "lacks": TEXT}}),
                        "ahead": COUNT,
                        "starts_at": {"type": ["number", "null"]},
                    },
                }
            ),
        },
        {
            "ref": "job/train",
            "stack": "digits",
            "phase": "waiting",
            "sentence": "It waits for 1 CPU and H100:4 in digits:pool/gpu. No node has room.",
            "scaling": None,
            "waits": [
                {
                    "tasks": ["digits:job/train#1"],
                    "sentence": "It waits for 1 CPU and H100:4 in digits:pool/gpu. No node has room.",
                    "nodes": [{"node": "digits:pool/gpu#n1", "lacks": "2 devices wholly free, of 4 asked for"}],
                    "ahead": 0,
                    "starts_at": None,
                }
            ],
        },
    ),
    "ApplyRequest": _record(
        "For whom a plan is carried out.", {"for": _told(TEXT, "A person or a team; by default nobody in particular.")},
        {"for": "ann"}, ("for",),
    ),
    "OrderRequest": _record(
        "Which object is told what.",
        {"ref": _told(TEXT, "An absolute ref."), "verb": {"enum": ["promote", "abort", "pause", "resume"]}},
        {"ref": "digits:endpoint/digits", "verb": "promote"},
    ),
    "Ordered": _record(
        "The order was written down.", {"ref": TEXT, "verb": TEXT}, {"ref": "digits:endpoint/digits", "verb": "promote"}
    ),
    "ReclaimRequest": _record(
        "Which object's node to reclaim, and how long before the kill it is told.",
        {"ref": _told(TEXT, "An absolute ref."), "notice_s": _told(NUMBER, "Seconds."),
         "node": _told(TEXT, "Of a pool, such as n1; by default the busiest.")},
        {"ref": "digits:job/train", "notice_s": 5}, ("notice_s", "node"),
    ),
    "Reclaimed": {"type": "object", "description": "The notice was given.", "examples": [{"ref": "digits:job/train"}]},
    "DisturbRequest": _record(
        "What to do to the first task of an object that runs, or to a pool's node and all that runs there.",
        {"ref": _told(TEXT, "An absolute ref."), "what": {"enum": ["kill", "slow", "partition"]}, "replica": COUNT,
         "of": {"enum": ["program", "wrapper"]}, "share": NUMBER, "for_s": _told(NUMBER, "Seconds."),
         "node": _told(TEXT, "Of a pool, such as n1; by default the busiest.")},
        {"ref": "digits:job/train", "what": "slow", "share": 0.1, "for_s": 30},
        ("replica", "of", "share", "for_s", "node"),
    ),
    "ExecRequest": _record(
        "Which task, and what to run in it. Without `replica` and `index` the first task that runs.",
        {"ref": _told(TEXT, "An absolute ref."), "command": _told(_list(TEXT), "Its words."), "replica": COUNT,
         "index": COUNT, "rows": _told(COUNT, "Of its terminal; without it has none."), "columns": COUNT},
        {"ref": "digits:job/train", "command": ["ls", "-l"]}, ("replica", "index", "rows", "columns"),
    ),
    "Visit": _record(
        "A command in a task.", {"visit": TEXT, "id": _told(TEXT, "The task's.")},
        {"visit": "9f86d081884c7d659a2feaa0c55ad015", "id": "digits:job/train#1"},
    ),
    "VisitInput": _record(
        "What it reads next.", {"data": _told(TEXT, "In base64."), "is_end": FLAG}, {"data": "bHMK"}, ("is_end",)
    ),
    "TerminalSize": _record("Of a terminal.", {"rows": COUNT, "columns": COUNT}, {"rows": 24, "columns": 80}),
    "Events": _record("Events, oldest first.", {"events": _list(of("Event"))}, {"events": [_EVENT]}),
    "Event": _record(
        "One line of an object's story.",
        {"id": COUNT, "at": MOMENT, "stack": TEXT, "ref": TEXT, "plan": TEXT,
         "event": _told(TEXT, "A fixed name."), "message": TEXT},
        _EVENT, ("plan",),
    ),
    "Runs": _record("Runs, newest first.", {"runs": _list(of("Run"))}, {"runs": [_RUN]}),
    "Run": _record(
        "One training run. `history` is given for a single run only.",
        {"run_id": TEXT, "experiment": TEXT, "name": TEXT, "status": TEXT, "started_at": _maybe(MOMENT),
         "ended_at": _maybe(MOMENT), "metrics": _told(METRICS, "The last value of each."),
         "params": {"type": "object", "additionalProperties": TEXT},
         "history": {"type": "object", "description": "Per metric: [step, value, Unix seconds].",
                     "additionalProperties": _list(_list(NUMBER))}},
        {**_RUN, "history": {"loss": [[0, 2.3, 1763812346.0], [1, 1.1, 1763812347.0]]}}, ("history",),
    ),
    "LiveEndpoints": _record(
        "How endpoints are doing.", {"endpoints": _list(of("LiveEndpoint")), "currency": TEXT},
        {"endpoints": [], "currency": "USD"},
    ),
    "LiveEndpoint": _record(
        "One endpoint. Costs are of the versions that answer; `shadow_cost` is of those that only get copies.",
        {"ref": TEXT, "stack": TEXT, "name": TEXT, "inflight": COUNT, "waiting": COUNT, "cost": of("UnitCost"),
         "shadow_cost": of("UnitCost"), "versions": _list({"type": "object"}, "Rates, latencies and cost of each.")},
        {"ref": "endpoint/digits", "stack": "digits", "name": "digits", "inflight": 2, "waiting": 0,
         "cost": _UNIT_COST, "shadow_cost": _UNIT_COST, "versions": []},
    ),
    "UnitCost": _record(
        "What was spent since a moment, and what that is by what was answered; null where nothing was.",
        {"since": MOMENT, "micros": MICROS, "requests": COUNT, "tokens": COUNT,
         "per_thousand_requests_micros": _maybe(MICROS), "per_million_tokens_micros": _maybe(MICROS)},
        _UNIT_COST,
    ),
    "Targets": _list(
        _record(
            "A target of Prometheus.", {"targets": _list(TEXT), "labels": {"type": "object"}},
            {"targets": ["127.0.0.1:7780"], "labels": {"__metrics_path__": "/metrics", "job": "weyr"}},
        )
    ) | {"examples": [[{"targets": ["127.0.0.1:7780"], "labels": {"job": "weyr"}}]]},
    "Secrets": _record("Secrets, without their values.", {"secrets": _list(of("Secret"))},
                       {"secrets": [{"stack": "digits", "name": "api-key", "version": 2}]}),
    "Secret": _record("A secret's name and current version.", {"stack": TEXT, "name": TEXT, "version": COUNT},
                      {"stack": "digits", "name": "api-key", "version": 2}),
    "SecretValue": _record("A secret's new value.", {"value": {"type": "string", "writeOnly": True}}, {"value": "..."}),
    "Audit": _record("Decisions about access, oldest first.", {"events": _list(of("AuditEvent"))}, {"events": []}),
    "AuditEvent": _record(
        "One answer to: may this caller do this?",
        {"at": MOMENT, "process": TEXT, "principal": TEXT, "action": TEXT, "resource": TEXT, "allowed": FLAG,
         "reason": TEXT},
        {"at": 1763812345.2, "process": "s3", "principal": "task:digits:job/train#1", "action": "s3:read",
         "resource": "other/key", "allowed": False, "reason": "no grant covers it"},
    ),
    "Health": _record("It is there.", {"ok": FLAG}, {"ok": True}),
    "Server": _record(
        "The server and the planes beside it.",
        {"version": TEXT, "pid": COUNT, "uptime_s": NUMBER, "home": TEXT, "url": TEXT,
         "planes": {"type": "object", "description": "By name, each with its url and pid."}, "docs_url": TEXT},
        {"version": "0.1.0", "pid": 4711, "uptime_s": 61.5, "home": "~/.weyr", "url": "http://127.0.0.1:7070",
         "planes": {"s3": {"url": "http://127.0.0.1:7071", "pid": 4712}}, "docs_url": "http://127.0.0.1:7070/docs"},
        ("docs_url",),
    ),
    "Done": {"type": "object", "description": "It is done.", "examples": [{}]},
    "AnyJson": {"type": "object", "description": "An OpenAPI 3.1 document.", "examples": [{"openapi": "3.1.0"}]},
    "Refusal": _record(
        "Why not. Every problem found is listed, not only the first.", {"diagnostics": _list(of("Diagnostic"))},
        {"diagnostics": [_DIAGNOSTIC]},
    ),
    "Diagnostic": _record(
        "One problem: a fixed summary, the detail in sentences, where, and what to try next.",
        {"severity": _words(Severity, "Fatal: Weyr refuses to go on."), "summary": TEXT, "detail": TEXT,
         "place": _maybe(of("Place")), "ref": TEXT, "suggestion": TEXT},
        _DIAGNOSTIC, ("place", "ref", "suggestion"),
    ),
    "Place": _record(
        "Where in a file; lines and columns count from 1, 0 is the file as a whole.",
        {"file": TEXT, "line": COUNT, "column": COUNT}, {"file": "weyr.yaml", "line": 12, "column": 5},
        ("line", "column"),
    ),
}  # fmt: skip

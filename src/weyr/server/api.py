"""Which routes does the API have? The table, by heading, in the order a reader meets them."""

from weyr.ledger.units import Unit
from weyr.server.routes import ApiRoute, Media, Param, Tag, Where

FORMATS = ("focus", "focus-1.4", "lines")
GROUPINGS = "stack, kind, object, thing, day, sku, team, project, user, model, endpoint, experiment, or tag:KEY"
STACK = Param("stack", "Only what belongs to this stack.", example="digits")
AFTER = Param("after", "Only events with a greater id.", type="integer", default=0)
_NO_SUCH = (404, "There is no such thing.")
_BAD_BODY = (400, "The body is not what the route takes; nothing was changed.")


def _path(name: str, meaning: str, example: str | int) -> Param:
    return Param(name, meaning, Where.PATH, is_required=True, example=example)


PLANS = (
    ApiRoute(
        "POST", "/v1/plans", "create_plan", Tag.PLANS, "Plan a change",
        "Compares a stack file with what is there and stores the result, which never changes afterwards. Give `text` "
        "and `file` for what should stand, or `stack` and `remove` to plan the removal of everything. Nothing is "
        "carried out.",
        request="PlanRequest", response="Plan", grant="api:write",
        refusals=((400, "The stack file has problems; every one of them is listed with its line."),),
    ),
    ApiRoute(
        "GET", "/v1/plans/{plan}", "get_plan", Tag.PLANS, "Read a plan",
        "As it was made, with which of its prices are others now, and what of it has no money at this moment.",
        params=(_path("plan", "The plan's id.", "5f0c2a7d1b9e4c33"),
                Param("for", "Whose it would be, where the administrator asks for somebody.", example="ann")),
        response="Plan", refusals=(_NO_SUCH,),
    ),
    ApiRoute(
        "POST", "/v1/plans/{plan}/apply", "apply_plan", Tag.PLANS, "Carry out a plan",
        "Takes the plan as what is wanted from now on and answers at once; follow the events to see it happen. The "
        "same plan twice changes nothing. What it makes is of whoever asks, or of whom the administrator asks `for`: "
        "their tasks share a queue with those of others.",
        params=(_path("plan", "The plan's id.", "5f0c2a7d1b9e4c33"),), request="ApplyRequest", response="Applied",
        grant="api:write",
        refusals=(_NO_SUCH, (409, "The world has moved since the plan was made. Nothing was changed; plan again.")),
    ),
)  # fmt: skip

OBJECTS = (
    ApiRoute("GET", "/v1/stacks", "list_stacks", Tag.OBJECTS, "List the stacks", response="Stacks"),
    ApiRoute(
        "GET", "/v1/objects", "list_objects", Tag.OBJECTS, "List objects",
        "Every object with its phase, conditions, outputs, the things engines hold for it, and what it costs.",
        params=(STACK, Param("kind", "Only objects of this kind.", example="job"),
                Param("name", "Only objects with this name.", example="train")),
        response="Objects",
    ),
    ApiRoute(
        "GET", "/v1/why", "why", Tag.OBJECTS, "Why does it not run?",
        "What an object waits for in a sentence, what each node lacks that it could go to, and when it should start; "
        "of an object that does not wait, what state it is in and why.",
        params=(Param("ref", "The object's absolute ref.", is_required=True, example="digits:job/train"),),
        response="Why", refusals=(_NO_SUCH,),
    ),
    ApiRoute(
        "POST", "/v1/orders", "order", Tag.OBJECTS, "Tell an object what to do",
        "An endpoint's new version that is on its way: `promote` gives it all requests, `abort` takes it back, `pause` "
        "keeps it where it is, `resume` lets it go on. Carried out once; follow the events to see it happen.",
        request="OrderRequest", response="Ordered", grant="api:write", status=202,
        refusals=((400, "It takes no such order, or not now."), _NO_SUCH),
    ),
    ApiRoute(
        "POST", "/v1/chaos/reclaim", "reclaim", Tag.OBJECTS, "Reclaim a spot node",
        "Does to a running spot task what a cloud does: notice, grace, kill. Its job goes on from its last checkpoint.",
        request="ReclaimRequest", response="Reclaimed", grant="api:write", status=202,
        refusals=(_BAD_BODY, _NO_SUCH, (409, "It does not run on spot, or does not run now.")),
    ),
    ApiRoute(
        "POST", "/v1/chaos/disturb", "disturb", Tag.OBJECTS, "Kill, slow down or cut off a task",
        "`kill` its program (or its wrapper, with `of`), let it run for a `share` of the time only (`slow`), or cut it "
        "off from Weyr's doors (`partition`, in a sandbox), for `for_s`. A node of a pool is lost, slowed or "
        "out of reach, with all that runs there.",
        request="DisturbRequest", response="Done", grant="api:write", status=202,
        refusals=(_BAD_BODY, _NO_SUCH, (409, "It does not run now, or this cannot be done to it.")),
    ),
)  # fmt: skip

_VISIT = _path("visit", "The visit's name.", "9f86d081884c7d659a2feaa0c55ad015")
VISITS = (
    ApiRoute(
        "POST", "/v1/exec", "begin_visit", Tag.VISITS, "Run a command in a task",
        "In the environment, folder, sandbox and control groups of a task that runs now. Read its output next: it "
        "is ended where nobody does.",
        request="ExecRequest", response="Visit", grant="api:write",
        refusals=(_BAD_BODY, _NO_SUCH, (409, "It does not run now, or not here.")),
    ),
    ApiRoute(
        "GET", "/v1/exec/{visit}/output", "visit_output", Tag.VISITS, "Follow what the command writes",
        'A JSON object on each line: `{"o": ...}` for output and `{"e": ...}` for errors in base64, at last '
        '`{"exit": 0}`.',
        params=(_VISIT,), media=Media.TEXT, grant="api:write", refusals=(_NO_SUCH,),
    ),
    ApiRoute(
        "POST", "/v1/exec/{visit}/input", "visit_input", Tag.VISITS, "Give the command input",
        params=(_VISIT,), request="VisitInput", response="Done", grant="api:write", refusals=(_BAD_BODY, _NO_SUCH),
    ),
    ApiRoute(
        "POST", "/v1/exec/{visit}/size", "visit_size", Tag.VISITS, "Tell the command how large its terminal is",
        params=(_VISIT,), request="TerminalSize", response="Done", grant="api:write", refusals=(_BAD_BODY, _NO_SUCH),
    ),
)  # fmt: skip

STORY = (
    ApiRoute(
        "GET", "/v1/events", "list_events", Tag.STORY, "List events",
        params=(STACK, Param("ref", "Only events of this object.", example="job/train"), AFTER,
                Param("limit", "At most so many, the newest.", type="integer", default=200)),
        response="Events",
    ),
    ApiRoute(
        "GET", "/v1/events/stream", "stream_events", Tag.STORY, "Follow events",
        "Server-sent events: each `data:` is one event as JSON, each `id:` its id. Connect again with `after` (or the "
        "`Last-Event-ID` header) set to the last id you saw and nothing is missed or repeated.",
        params=(STACK, AFTER, Param("Last-Event-ID", "As `after`; sent by browsers.", Where.HEADER)),
        media=Media.EVENTS,
    ),
    ApiRoute(
        "GET", "/v1/logs", "read_logs", Tag.STORY, "Read what a task printed",
        "Name one thing by `id`, or an object by `ref` for its newest attempt. Where that has several tasks, each line "
        "begins with the index and the replica that printed it.",
        params=(Param("id", "A thing's id.", example="digits:job/train#2"),
                Param("ref", "An object's absolute ref.", example="digits:job/train"),
                Param("attempt", "Another attempt than the newest.", type="integer"),
                Param("index", "Only this index of an array.", type="integer"),
                Param("replica", "Only this replica.", type="integer"),
                Param("follow", "1 keeps the answer open until the task ends.", choices=("0", "1"), default="0"),
                Param("tail", "Only so many of the last lines.", type="integer")),
        media=Media.TEXT, refusals=(_NO_SUCH,),
    ),
)  # fmt: skip

RUNS = (
    ApiRoute("GET", "/v1/runs", "list_runs", Tag.RUNS, "List training runs", params=(STACK,), response="Runs"),
    ApiRoute(
        "GET", "/v1/runs/{run}", "get_run", Tag.RUNS, "Read a run with the history of its metrics",
        params=(_path("run", "The run's id.", "0f6d5a3e9b7c4d21"),), response="Run", refusals=(_NO_SUCH,),
    ),
)  # fmt: skip

LIVE = (
    ApiRoute(
        "GET", "/v1/endpoints/live", "live_endpoints", Tag.OBJECTS, "See how endpoints are doing",
        "By version: rates and latencies of the last minute, and what 1,000 requests and a million tokens cost over "
        "the last hour, in micro-units, idle time included. What is not known yet is null.",
        params=(STACK, Param("name", "Only the endpoint with this name.", example="digits")), response="LiveEndpoints",
    ),
)  # fmt: skip

_DAYS = (
    Param("from", "The first day, in UTC.", example="2026-11-01"),
    Param("to", "The last day, in UTC.", example="2026-11-30"),
    Param("period", "A UTC month, instead of both.", example="2026-11"),
)

MONEY = (
    ApiRoute(
        "GET", "/v1/cost", "get_cost", Tag.MONEY, "Read the bill",
        "What was spent so far, what is spent per hour now, and what the month will come to. Amounts are integer "
        "micro-units of the currency: 1,500,000 is 1.50.",
        params=(
            STACK, Param("by", f"What a row stands for: {GROUPINGS}.", default="object"),
            Param("period", "Only this UTC month.", example="2026-10"),
            Param("spread", "1 shares out what has no such label, by use.", choices=("0", "1"), default="0"),
            Param("share", "Shares it out by fixed parts.", example="vision=60,language=40"),
            Param("top", "Only so many rows, those that cost most; 0 for all.", type="integer", default=0),
        ),
        response="Cost", refusals=((400, "The bill cannot be split up so."),),
    ),
    ApiRoute(
        "POST", "/v1/cost/entries", "post_entry", Tag.MONEY, "Post a bill from outside",
        "What an API or a provider charged, so that it is on the bill beside all else. The same id again posts "
        "nothing; the same id with something else in it is refused. Days of a closed month count for the first open "
        "one. What is credited (an amount below zero) takes the right ledger:write: it gives a spent limit room.",
        request="Entry", response="Entered", grant="api:write", refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "POST", "/v1/cost/corrections", "correct_line", Tag.MONEY, "Correct a line of the journal",
        "The line stays. It is taken back by a line whose accounts are swapped, and posted anew with the amount given; "
        "null takes it back only.",
        request="Correction", response="Entered", grant="ledger:write", refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "GET", "/v1/cost/periods", "list_periods", Tag.MONEY, "List the closed months", response="Periods",
    ),
    ApiRoute(
        "POST", "/v1/cost/periods", "close_period", Tag.MONEY, "Close a month",
        "With all before it. Nothing is posted into it afterwards: what is late counts for the first open day and says "
        "so.",
        request="PeriodName", response="Period", grant="ledger:write", refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "GET", "/v1/cost/journal", "list_lines", Tag.MONEY, "Read the journal",
        "The newest lines, oldest of them first.",
        params=(STACK, Param("limit", "How many at most.", type="integer", default=100)), response="Lines",
    ),
    ApiRoute(
        "GET", "/v1/cost/proof", "prove_journal", Tag.MONEY, "Prove the journal",
        "Reads all of it: every line's hash, every meter's lines, every sum. Write `head` down elsewhere: it is "
        "another one if a line before it was ever changed.",
        response="Proof",
    ),
    ApiRoute(
        "GET", "/v1/advice", "get_advice", Tag.MONEY, "Find what is wasted",
        "What could be spent less, dearest first: each finding with its price for a month, how sure it is, and the "
        "exact change to the stack file. What runs idle, asks for more than it uses, waits for nobody, or would be "
        "cheaper otherwise. A price that is not known is null.",
        params=(STACK, Param("idle", "For how long something did nothing that is called idle, such as 1h.",
                             default="1h")),
        response="Advice", refusals=((400, "The duration is none."),),
    ),
    ApiRoute(
        "GET", "/v1/cost/days", "cost_days", Tag.MONEY, "Read what was spent on each day",
        "Without a gap between days, what cost most first; and how far the running month has come and will go. Bars "
        "of at most 800 days, the last ones.",
        params=(STACK, Param("by", f"What a bar's part stands for: {GROUPINGS}.", default="object"), *_DAYS),
        response="CostDays",
    ),
    ApiRoute(
        "GET", "/v1/cost/units", "cost_units", Tag.MONEY, "Read what one of something costs",
        "A thousand answers and a million tokens of endpoints and services, with the time that they waited; a training "
        "run, by the time that it was open in its task; a version of a model or of data, an experiment, by their runs.",
        params=(
            STACK, Param("by", "What a row is of.", choices=tuple(Unit), default="endpoint"),
            Param("weight", "As how many tokens read one that is written counts.", default="4"),
            Param("fresh", "1 reads the counters of what answers first; else they may be half a minute old.",
                  choices=("0", "1"), default="0"), *_DAYS,
        ),
        response="CostUnits", refusals=((400, "The weight is none."),),
    ),
    ApiRoute(
        "GET", "/v1/cost/lines", "cost_lines", Tag.MONEY, "Export the bill",
        "One row for each line of the journal, as they are read: a million of them take no more memory than one. "
        "`focus` is FOCUS 1.2, `focus-1.4` the same figures under the names of 1.4, `lines` the journal's own columns.",
        params=(STACK, Param("format", "Which columns.", choices=FORMATS, default="focus"), *_DAYS), media=Media.CSV,
    ),
    ApiRoute(
        "GET", "/v1/cost/owed", "cost_owed", Tag.MONEY, "Read what is owed outside",
        "The journal's lines that are owed to a price book, added up by object, SKU, day and the hours that they are "
        "of: what a provider's bill is put beside (`weyr cost reconcile`). One key may come twice.",
        params=_DAYS[:1], media=Media.CSV,
    ),
    ApiRoute(
        "GET", "/v1/cost/lines/count", "count_lines", Tag.MONEY, "Count the lines of an export",
        params=(STACK, *_DAYS), response="LineCount",
    ),
    ApiRoute(
        "GET", "/cost", "cost_page", Tag.MONEY, "See the bill as a page",
        "The page itself holds no figure and is given to anybody; it asks this API with the token that it is opened "
        "with (`weyr cost --page`) or told.",
        media=Media.HTML, grant="",
    ),
)  # fmt: skip

_SECRET = (_path("stack", "The stack that holds the secret.", "digits"), _path("name", "The secret's name.", "api-key"))

ACCESS = (
    ApiRoute(
        "GET", "/v1/secrets", "list_secrets", Tag.ACCESS, "List secrets", "Names and versions, never values.",
        params=(STACK,), response="Secrets",
    ),
    ApiRoute(
        "PUT", "/v1/secrets/{stack}/{name}", "put_secret", Tag.ACCESS, "Set a secret",
        "Stores a new version, encrypted. Tasks that use the secret get it at their next start.",
        params=_SECRET, request="SecretValue", response="Secret", grant="api:write", refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "DELETE", "/v1/secrets/{stack}/{name}", "delete_secret", Tag.ACCESS, "Remove a secret",
        params=_SECRET, response="Done", grant="api:write", refusals=(_NO_SUCH,),
    ),
    ApiRoute(
        "GET", "/v1/teams", "list_teams", Tag.ACCESS, "List teams", "Who is of which team.", response="Teams",
    ),
    ApiRoute(
        "PUT", "/v1/teams/{team}", "put_team", Tag.ACCESS, "Set a team",
        "Makes a team be these people, none of whom is of another any more; without members there is none.",
        params=(_path("team", "Its name.", "vision"),), request="TeamMembers", response="Team", grant="access:write",
        refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "GET", "/v1/me", "get_me", Tag.ACCESS, "Read who asks", "Whose the token is, and what it may do.",
        response="Me", grant="", refusals=((401, "It is nobody's."),),
    ),
    ApiRoute(
        "GET", "/v1/tokens", "list_tokens", Tag.ACCESS, "List tokens",
        "Who has one and what it may do, never the token.", response="Tokens",
    ),
    ApiRoute(
        "PUT", "/v1/tokens/{name}", "put_token", Tag.ACCESS, "Give a token",
        "A new token for a person or a program, which is in no later answer; one that there was ends. Who gives it has "
        "the right access:write, and gives no more than he may himself.",
        params=(_path("name", "Whose it is.", "ann"),), request="Grants", response="Token", grant="access:write",
        refusals=(_BAD_BODY,),
    ),
    ApiRoute(
        "DELETE", "/v1/tokens/{name}", "delete_token", Tag.ACCESS, "Revoke a token",
        params=(_path("name", "Whose it is.", "ann"),), response="Done", grant="access:write", refusals=(_NO_SUCH,),
    ),
    ApiRoute(
        "GET", "/v1/audit", "list_audit", Tag.ACCESS, "Read the audit trail",
        "Who was refused what, by which process, newest last.",
        params=(Param("limit", "At most so many, the newest.", type="integer", default=200),), response="Audit",
    ),
)  # fmt: skip

SERVER = (
    ApiRoute("GET", "/healthz", "healthz", Tag.SERVER, "Is the server there?", response="Health", grant=""),
    ApiRoute("GET", "/v1/server", "get_server", Tag.SERVER, "Read the state of server and planes", response="Server"),
    ApiRoute(
        "POST", "/v1/server/stop", "stop_server", Tag.SERVER, "Stop the server",
        "Answers, then ends the server. Tasks and endpoints go on; the planes end too once no stack is left.",
        response="Done", grant="api:write", status=202,
    ),
    ApiRoute(
        "POST", "/v1/bell", "ring", Tag.SERVER, "Say that a task changed",
        "For tasks on other machines, with their own token: their object is looked at now, not at the next look.",
        response="Done", grant="api:ring", refusals=((409, "Only a task has anything to ring for."),),
    ),
    ApiRoute(
        "GET", "/metrics", "metrics", Tag.SERVER, "Read the metrics", "For Prometheus, in its text format.",
        media=Media.TEXT,
    ),
    ApiRoute(
        "GET", "/v1/metrics/targets", "metric_targets", Tag.SERVER, "List what Prometheus is to scrape",
        "For its `http_sd_configs`: this server, the planes, every replica that runs with its endpoint and version as "
        "labels, and NVIDIA's DCGM exporter where one listens. That and the inference plane are scraped "
        "where they listen, all others at this server.",
        response="Targets",
    ),
    ApiRoute(
        "GET", "/v1/metrics/planes/{plane}", "plane_metrics", Tag.SERVER, "Read a plane's metrics",
        params=(_path("plane", "inference or functions.", "inference"),), media=Media.TEXT,
        refusals=(_NO_SUCH, (409, "It does not answer.")),
    ),
    ApiRoute(
        "GET", "/v1/metrics/replicas/{stack}/{endpoint}/{replica}", "replica_metrics", Tag.SERVER,
        "Read a replica's metrics", "As the replica says them: vLLM's have vLLM's names.",
        params=(_path("stack", "The stack.", "digits"), _path("endpoint", "The endpoint's name.", "digits"),
                _path("replica", "The replica's number.", "1")),
        media=Media.TEXT, refusals=(_NO_SUCH, (409, "It does not answer, or tells no metrics.")),
    ),
    ApiRoute(
        "GET", "/openapi.json", "openapi", Tag.SERVER, "Read this reference as OpenAPI 3.1",
        response="AnyJson", grant="",
    ),
    ApiRoute("GET", "/docs", "reference", Tag.SERVER, "Read this reference as a page", media=Media.HTML, grant=""),
)  # fmt: skip

API: tuple[ApiRoute, ...] = PLANS + OBJECTS + LIVE + VISITS + STORY + RUNS + MONEY + ACCESS + SERVER

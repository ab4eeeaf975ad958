"""The protocol's calls about runs, metrics, params and tags."""

from weyr.server.mlflow import encoding
from weyr.server.mlflow.calls import READ, WRITE, Call, Endpoint, Json
from weyr.server.mlflow.experiment_calls import VIEWS, tags_of
from weyr.server.mlflow.fields import Fields
from weyr.tracking.entities import Dataset, DatasetInput, Direction, Metric, ModelUse, Param, RunStatus, Tag, View
from weyr.tracking.errors import invalid
from weyr.tracking.metrics import HISTORY_AT_ONCE_MAX
from weyr.tracking.run_search import RESULTS_MAX

RESULTS = 1000
RUNS_SAMPLED_MAX = 100
POINTS_SAMPLED_MAX = 2500
STATUSES = (RunStatus.RUNNING, RunStatus.SCHEDULED, RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


def _run_id(fields: Fields) -> str:
    return fields.required("run_id", "run_uuid")


def _create(call: Call) -> Json:
    fields = call.fields
    run = call.tracking.run_log.create(
        fields.text("experiment_id"),
        fields.text("run_name"),
        fields.text("user_id"),
        fields.integer_or_none("start_time"),
        tags_of(fields),
        call.task,
    )
    return {"run": encoding.run(run)}


def _get(call: Call) -> Json:
    return {"run": encoding.run(call.tracking.run_log.get(_run_id(call.fields)))}


def _update(call: Call) -> Json:
    fields = call.fields
    head = call.tracking.run_log.update(
        _run_id(fields),
        fields.member("status", STATUSES),
        fields.integer_or_none("end_time"),
        fields.text("run_name"),
        call.task,
    )
    return {"run_info": encoding.run_info(head)}


def _delete(call: Call) -> Json:
    call.tracking.run_log.delete(_run_id(call.fields))
    return {}


def _restore(call: Call) -> Json:
    call.tracking.run_log.restore(_run_id(call.fields))
    return {}


def _search(call: Call) -> Json:
    fields = call.fields
    found = call.tracking.search_runs(
        fields.texts("experiment_ids"),
        fields.member("run_view_type", VIEWS) or View.ACTIVE_ONLY,
        fields.text("filter"),
        fields.texts("order_by"),
        fields.integer("max_results", RESULTS, least=1, most=RESULTS_MAX),
        fields.text("page_token"),
    )
    return encoding.page("runs", [encoding.run(each) for each in found.items], found.token)


def _log_metric(call: Call) -> Json:
    fields = call.fields
    run_id = _run_id(fields)
    fields.required_integer("timestamp")  # In a batch it may be left out; here MLflow asks for it.
    call.tracking.run_log.log(run_id, metrics=(_metric(fields),))
    return {}


def _log_param(call: Call) -> Json:
    fields = call.fields
    param = Param(fields.required("key"), fields.text("value"))
    call.tracking.run_log.log(_run_id(fields), params=(param,))
    return {}


def _set_tag(call: Call) -> Json:
    fields = call.fields
    tag = Tag(fields.required("key"), fields.text("value"))
    call.tracking.run_log.log(_run_id(fields), tags=(tag,))
    return {}


def _delete_tag(call: Call) -> Json:
    call.tracking.run_log.delete_tag(_run_id(call.fields), call.fields.required("key"))
    return {}


def _log_batch(call: Call) -> Json:
    fields = call.fields
    call.tracking.run_log.log(
        fields.required("run_id"),
        [_metric(each) for each in fields.objects("metrics", each_has=("key", "value", "timestamp"))],
        tags_of(fields, "params"),
        tags_of(fields),
    )
    return {}


def _log_model(call: Call) -> Json:
    call.tracking.run_log.log_model_record(_run_id(call.fields), call.fields.required("model_json"))
    return {}


def _log_inputs(call: Call) -> Json:
    fields = call.fields
    datasets = [_dataset_input(each) for each in fields.objects("datasets")]
    models = [ModelUse(Direction.INPUT, each.required("model_id")) for each in fields.objects("models")]
    call.tracking.run_log.log_inputs(fields.required("run_id"), datasets, models)
    return {}


def _log_outputs(call: Call) -> Json:
    fields = call.fields
    models = [
        ModelUse(Direction.OUTPUT, each.required("model_id"), each.integer("step", 0))
        for each in fields.objects("models")
    ]
    call.tracking.run_log.log_inputs(fields.required("run_id"), (), models)
    return {}


def _history(call: Call) -> Json:
    fields = call.fields
    limit = fields.integer_or_none("max_results")
    if limit is not None and limit <= 0:
        raise invalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer.")
    run_id, key = _run_id(fields), fields.required("metric_key")
    call.tracking.run_log.get_head(run_id)
    found = call.tracking.history(run_id, key, limit, fields.text("page_token"))
    return encoding.page("metrics", [encoding.metric(point) for point in found.items], found.token)


def _histories(call: Call) -> Json:
    fields = call.fields
    run_ids = fields.texts("run_id")
    if not run_ids:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(run_ids) > RUNS_SAMPLED_MAX:
        raise invalid(f"GetMetricHistoryBulk request cannot specify more than {RUNS_SAMPLED_MAX} run_ids.")
    if not fields.text("metric_key"):
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    most = fields.integer("max_results", HISTORY_AT_ONCE_MAX, least=1, most=HISTORY_AT_ONCE_MAX)
    found = call.tracking.histories(run_ids, fields.text("metric_key"), most)
    return {"metrics": [encoding.metric(point) | {"run_id": run_id} for run_id, point in found]}


def _history_sampled(call: Call) -> Json:
    fields = call.fields
    run_ids = fields.texts("run_ids")
    if not run_ids:
        raise invalid("Missing value for required parameter 'run_ids'.")
    if len(run_ids) > RUNS_SAMPLED_MAX:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {RUNS_SAMPLED_MAX} run_ids. "
            f"Received {len(run_ids)} run_ids."
        )
    most = fields.integer("max_results", POINTS_SAMPLED_MAX)
    if not 1 <= most <= POINTS_SAMPLED_MAX:
        raise invalid(f"max_results must be between 1 and {POINTS_SAMPLED_MAX}, got {most}.")
    found = call.tracking.history_sampled(run_ids, fields.required("metric_key"), _steps(fields), most)
    return {"metrics": [encoding.metric(point) | {"run_id": run_id} for run_id, point in found]}


def _steps(fields: Fields) -> tuple[int, int] | None:
    first, last = fields.integer_or_none("start_step"), fields.integer_or_none("end_step")
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise invalid("If either start step or end step are specified, both must be specified.")
    if first > last:
        raise invalid(f"end_step must be greater than start_step. Found start_step={first}, end_step={last}.")
    return first, last


def _metric(fields: Fields) -> Metric:
    plain = fields.plain_point()
    if plain is not None:
        return Metric(*plain)
    return Metric(
        fields.required("key"),
        fields.number("value"),
        fields.integer("timestamp", 0),
        fields.integer("step", 0),
        fields.text("model_id"),
        fields.text("dataset_name"),
        fields.text("dataset_digest"),
    )


def _dataset_input(fields: Fields) -> DatasetInput:
    described = fields.object("dataset")
    dataset = Dataset(
        described.required("name"),
        described.required("digest"),
        described.required("source_type"),
        described.required("source"),
        described.text("schema") or None,
        described.text("profile") or None,
    )
    return DatasetInput(dataset, tuple(tags_of(fields)))


ENDPOINTS = (
    Endpoint(("POST",), "/runs/create", WRITE, _create),
    Endpoint(("GET",), "/runs/get", READ, _get),
    Endpoint(("POST",), "/runs/update", WRITE, _update),
    Endpoint(("POST",), "/runs/delete", WRITE, _delete),
    Endpoint(("POST",), "/runs/restore", WRITE, _restore),
    Endpoint(("POST",), "/runs/search", READ, _search),
    Endpoint(("POST",), "/runs/log-metric", WRITE, _log_metric),
    Endpoint(("POST",), "/runs/log-parameter", WRITE, _log_param),
    Endpoint(("POST",), "/runs/set-tag", WRITE, _set_tag),
    Endpoint(("POST",), "/runs/delete-tag", WRITE, _delete_tag),
    Endpoint(("POST",), "/runs/log-batch", WRITE, _log_batch),
    Endpoint(("POST",), "/runs/log-model", WRITE, _log_model),
    Endpoint(("POST",), "/runs/log-inputs", WRITE, _log_inputs),
    Endpoint(("POST",), "/runs/outputs", WRITE, _log_outputs),
    Endpoint(("GET",), "/metrics/get-history", READ, _history),
    Endpoint(("GET",), "/metrics/get-history-bulk", READ, _histories, lists=("run_id",)),
    Endpoint(("GET",), "/metrics/get-history-bulk-interval", READ, _history_sampled, lists=("run_ids",)),
)

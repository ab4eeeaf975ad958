"""The protocol's calls about logged models, which MLflow 3's `log_model` makes."""

from weyr.server.mlflow import encoding
from weyr.server.mlflow.calls import READ, WRITE, Call, Endpoint, Json
from weyr.server.mlflow.experiment_calls import tags_of
from weyr.tracking.entities import LoggedModel, ModelStatus
from weyr.tracking.errors import invalid
from weyr.tracking.filters import OrderBy, parse_order
from weyr.tracking.logged_models import RESULTS_MAX

RESULTS = 50
STATUSES = (ModelStatus.PENDING, ModelStatus.READY, ModelStatus.UPLOAD_FAILED)


def _shown(found: LoggedModel) -> Json:
    return {"model": encoding.logged_model(found)}


def _create(call: Call) -> Json:
    fields = call.fields
    found = call.tracking.logged_models.create(
        fields.required("experiment_id"),
        fields.text("name"),
        fields.text("model_type"),
        fields.text("source_run_id"),
        tags_of(fields, "params"),
        tags_of(fields),
    )
    return _shown(found)


def _get(call: Call) -> Json:
    return _shown(call.tracking.logged_models.get(call.path["model_id"], call.fields.flag("allow_deleted")))


def _finalize(call: Call) -> Json:
    status = call.fields.member("status", STATUSES)
    if status is None:
        raise invalid("Missing value for required parameter 'status'.")
    return _shown(call.tracking.logged_models.finalize(call.path["model_id"], status))


def _delete(call: Call) -> Json:
    call.tracking.logged_models.delete(call.path["model_id"])
    return {}


def _set_tags(call: Call) -> Json:
    call.tracking.logged_models.set_tags(call.path["model_id"], tags_of(call.fields))
    return {}


def _delete_tag(call: Call) -> Json:
    call.tracking.logged_models.delete_tag(call.path["model_id"], call.path["key"])
    return {}


def _log_params(call: Call) -> Json:
    call.tracking.logged_models.log_params(call.path["model_id"], tags_of(call.fields, "params"))
    return {}


def _search(call: Call) -> Json:
    fields = call.fields
    experiment_ids = fields.texts("experiment_ids")
    if not experiment_ids:
        raise invalid("Missing value for required parameter 'experiment_ids'.")
    order = []
    for each in fields.objects("order_by"):
        asked = parse_order(each.required("field_name"))
        if each.text("dataset_name"):
            raise invalid("Ordering logged models by a metric on one dataset is not supported.")
        order.append(OrderBy(asked.entity, asked.key, each.flag("ascending") if each.has("ascending") else True))
    found = call.tracking.logged_models.search(
        experiment_ids,
        fields.text("filter"),
        [(each.required("dataset_name"), each.text("dataset_digest")) for each in fields.objects("datasets")],
        order,
        fields.integer("max_results", RESULTS, least=1, most=RESULTS_MAX),
        fields.text("page_token"),
    )
    return encoding.page("models", [encoding.logged_model(each) for each in found.items], found.token)


ENDPOINTS = (
    Endpoint(("POST",), "/logged-models", WRITE, _create),
    Endpoint(("POST",), "/logged-models/search", READ, _search),
    Endpoint(("GET",), "/logged-models/{model_id}", READ, _get),
    Endpoint(("PATCH",), "/logged-models/{model_id}", WRITE, _finalize),
    Endpoint(("DELETE",), "/logged-models/{model_id}", WRITE, _delete),
    Endpoint(("PATCH",), "/logged-models/{model_id}/tags", WRITE, _set_tags),
    Endpoint(("DELETE",), "/logged-models/{model_id}/tags/{key}", WRITE, _delete_tag),
    Endpoint(("POST",), "/logged-models/{model_id}/params", WRITE, _log_params),
)

"""The protocol's calls about experiments."""

from weyr.server.mlflow import encoding
from weyr.server.mlflow.calls import READ, WRITE, Call, Endpoint, Json
from weyr.server.mlflow.fields import Fields
from weyr.tracking.entities import Tag, View
from weyr.tracking.errors import invalid, missing
from weyr.tracking.places import place_of_uri

RESULTS = 1000
RESULTS_MAX = 50_000
EXPERIMENTS_SUMMARISED_MAX = 20
VIEWS = (View.ACTIVE_ONLY, View.DELETED_ONLY, View.ALL)


def tags_of(fields: Fields, name: str = "tags") -> list[Tag]:
    return [Tag(each.required("key"), each.text("value")) for each in fields.objects(name)]


def _create(call: Call) -> Json:
    location = call.fields.text("artifact_location")
    place = place_of_uri(location) if location else None
    # Whoever may name a root may have files written there by this server, which holds every key.
    if place is not None:
        call.check_grant(call.principal, "s3:write", f"{place.path}/")
    name = call.fields.required("name")
    return {"experiment_id": call.tracking.experiments.create(name, location, tags_of(call.fields))}


def _get(call: Call) -> Json:
    found = call.tracking.experiments.get(call.fields.required("experiment_id"))
    return {"experiment": encoding.experiment(found)}


def _get_by_name(call: Call) -> Json:
    name = call.fields.required("experiment_name")
    found = call.tracking.experiments.by_name(name)
    if found is None:
        raise missing(f"Could not find experiment with name '{name}'")
    return {"experiment": encoding.experiment(found)}


def _delete(call: Call) -> Json:
    call.tracking.experiments.delete(call.fields.required("experiment_id"))
    return {}


def _restore(call: Call) -> Json:
    call.tracking.experiments.restore(call.fields.required("experiment_id"))
    return {}


def _update(call: Call) -> Json:
    call.tracking.experiments.rename(call.fields.required("experiment_id"), call.fields.required("new_name"))
    return {}


def _set_tag(call: Call) -> Json:
    tag = Tag(call.fields.required("key"), call.fields.text("value"))
    call.tracking.experiments.set_tag(call.fields.required("experiment_id"), tag)
    return {}


def _delete_tag(call: Call) -> Json:
    call.tracking.experiments.delete_tag(call.fields.required("experiment_id"), call.fields.required("key"))
    return {}


def _search(call: Call) -> Json:
    fields = call.fields
    found = call.tracking.experiments.search(
        fields.member("view_type", VIEWS) or View.ACTIVE_ONLY,
        fields.text("filter"),
        fields.texts("order_by"),
        fields.integer("max_results", RESULTS, least=1, most=RESULTS_MAX),
        fields.text("page_token"),
    )
    return encoding.page("experiments", [encoding.experiment(each) for each in found.items], found.token)


def _search_datasets(call: Call) -> Json:
    experiment_ids = call.fields.texts("experiment_ids")
    if not experiment_ids:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(experiment_ids) > EXPERIMENTS_SUMMARISED_MAX:
        raise invalid(f"SearchDatasets request cannot specify more than {EXPERIMENTS_SUMMARISED_MAX} experiment_ids.")
    found = call.tracking.dataset_summaries(experiment_ids)
    return {
        "dataset_summaries": [
            encoding.given(experiment_id=experiment_id, name=name, digest=digest, context=context)
            for experiment_id, name, digest, context in found
        ]
    }


ENDPOINTS = (
    Endpoint(("POST",), "/experiments/create", WRITE, _create),
    Endpoint(("GET",), "/experiments/get", READ, _get),
    Endpoint(("GET",), "/experiments/get-by-name", READ, _get_by_name),
    Endpoint(("POST",), "/experiments/delete", WRITE, _delete),
    Endpoint(("POST",), "/experiments/restore", WRITE, _restore),
    Endpoint(("POST",), "/experiments/update", WRITE, _update),
    Endpoint(("POST",), "/experiments/set-experiment-tag", WRITE, _set_tag),
    Endpoint(("POST",), "/experiments/delete-experiment-tag", WRITE, _delete_tag),
    Endpoint(("POST", "GET"), "/experiments/search", READ, _search, lists=("order_by",)),
    Endpoint(("POST",), "/experiments/search-datasets", READ, _search_datasets),
)

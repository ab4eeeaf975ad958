"""The protocol's calls about registered models, their versions and aliases."""

from weyr.server.mlflow import encoding
from weyr.server.mlflow.calls import READ, WRITE, Call, Endpoint, Json
from weyr.server.mlflow.experiment_calls import tags_of
from weyr.server.mlflow.fields import Fields
from weyr.tracking import registry, versions
from weyr.tracking.entities import ModelVersion, RegisteredModel, Tag
from weyr.tracking.errors import invalid

RESULTS = 100


def _name(call: Call) -> str:
    return call.fields.required("name")


def _version(fields: Fields) -> int:
    text = fields.required("version")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise invalid(f"Parameter 'version' must be an integer, got '{text}'.")
    return int(text)


def _model(found: RegisteredModel) -> Json:
    return {"registered_model": encoding.registered_model(found)}


def _one(found: ModelVersion) -> Json:
    return {"model_version": encoding.model_version(found)}


def _create(call: Call) -> Json:
    name = _name(call)
    return _model(call.tracking.registry.create(name, call.fields.text("description"), tags_of(call.fields)))


def _rename(call: Call) -> Json:
    return _model(call.tracking.registry.rename(_name(call), call.fields.required("new_name")))


def _update(call: Call) -> Json:
    return _model(call.tracking.registry.update(_name(call), call.fields.text("description")))


def _delete(call: Call) -> Json:
    call.tracking.registry.delete(_name(call))
    return {}


def _get(call: Call) -> Json:
    return _model(call.tracking.registry.get(_name(call)))


def _search(call: Call) -> Json:
    fields = call.fields
    limit = fields.integer("max_results", RESULTS, least=1, most=registry.RESULTS_MAX)
    found = call.tracking.registry.search(
        fields.text("filter"), fields.texts("order_by"), limit, fields.text("page_token")
    )
    return encoding.page("registered_models", [encoding.registered_model(each) for each in found.items], found.token)


def _latest(call: Call) -> Json:
    found = call.tracking.versions.latest(_name(call), call.fields.texts("stages"))
    return {"model_versions": [encoding.model_version(each) for each in found]}


def _set_tag(call: Call) -> Json:
    call.tracking.registry.set_tag(_name(call), _tag(call.fields))
    return {}


def _delete_tag(call: Call) -> Json:
    call.tracking.registry.delete_tag(_name(call), call.fields.required("key"))
    return {}


def _set_alias(call: Call) -> Json:
    call.tracking.registry.set_alias(_name(call), call.fields.required("alias"), _version(call.fields))
    return {}


def _delete_alias(call: Call) -> Json:
    call.tracking.registry.delete_alias(_name(call), call.fields.required("alias"))
    return {}


def _get_by_alias(call: Call) -> Json:
    name = _name(call)
    version = call.tracking.registry.version_of_alias(name, call.fields.required("alias"))
    return _one(call.tracking.versions.get(name, version))


def _create_version(call: Call) -> Json:
    fields = call.fields
    source, run_id, model_id = fields.required("source"), fields.text("run_id"), fields.text("model_id")
    found = call.tracking.versions.create(
        _name(call),
        source,
        run_id,
        fields.text("run_link"),
        fields.text("description"),
        model_id,
        tags_of(fields),
        call.principal.name,
        call.seal_of(call.tracking.versions.files_uri_of(source, run_id, model_id)),
    )
    return _one(found)


def _get_version(call: Call) -> Json:
    return _one(call.tracking.versions.get(_name(call), _version(call.fields)))


def _update_version(call: Call) -> Json:
    description = call.fields.text("description") if call.fields.has("description") else None
    return _one(call.tracking.versions.update(_name(call), _version(call.fields), description))


def _move_version(call: Call) -> Json:
    fields = call.fields
    name, version, stage = _name(call), _version(fields), fields.required("stage")
    return _one(call.tracking.versions.move(name, version, stage, fields.flag("archive_existing_versions")))


def _delete_version(call: Call) -> Json:
    call.tracking.versions.delete(_name(call), _version(call.fields))
    return {}


def _download_uri(call: Call) -> Json:
    return {"artifact_uri": call.tracking.versions.get(_name(call), _version(call.fields)).files_uri}


def _search_versions(call: Call) -> Json:
    fields = call.fields
    limit = fields.integer("max_results", versions.RESULTS_MAX, least=1, most=versions.RESULTS_MAX)
    found = call.tracking.versions.search(
        fields.text("filter"), fields.texts("order_by"), limit, fields.text("page_token")
    )
    return encoding.page("model_versions", [encoding.model_version(each) for each in found.items], found.token)


def _set_version_tag(call: Call) -> Json:
    call.tracking.versions.set_tag(_name(call), _version(call.fields), _tag(call.fields))
    return {}


def _delete_version_tag(call: Call) -> Json:
    call.tracking.versions.delete_tag(_name(call), _version(call.fields), call.fields.required("key"))
    return {}


def _tag(fields: Fields) -> Tag:
    return Tag(fields.required("key"), fields.text("value"))


ENDPOINTS = (
    Endpoint(("POST",), "/registered-models/create", WRITE, _create),
    Endpoint(("POST",), "/registered-models/rename", WRITE, _rename),
    Endpoint(("PATCH",), "/registered-models/update", WRITE, _update),
    Endpoint(("DELETE",), "/registered-models/delete", WRITE, _delete),
    Endpoint(("GET",), "/registered-models/get", READ, _get),
    Endpoint(("GET",), "/registered-models/search", READ, _search, lists=("order_by",)),
    Endpoint(("POST", "GET"), "/registered-models/get-latest-versions", READ, _latest, lists=("stages",)),
    Endpoint(("POST",), "/registered-models/set-tag", WRITE, _set_tag),
    Endpoint(("DELETE",), "/registered-models/delete-tag", WRITE, _delete_tag),
    Endpoint(("POST",), "/registered-models/alias", WRITE, _set_alias),
    Endpoint(("DELETE",), "/registered-models/alias", WRITE, _delete_alias),
    Endpoint(("GET",), "/registered-models/alias", READ, _get_by_alias),
    Endpoint(("POST",), "/model-versions/create", WRITE, _create_version),
    Endpoint(("GET",), "/model-versions/get", READ, _get_version),
    Endpoint(("PATCH",), "/model-versions/update", WRITE, _update_version),
    Endpoint(("POST",), "/model-versions/transition-stage", WRITE, _move_version),
    Endpoint(("DELETE",), "/model-versions/delete", WRITE, _delete_version),
    Endpoint(("GET",), "/model-versions/get-download-uri", READ, _download_uri),
    Endpoint(("GET",), "/model-versions/search", READ, _search_versions, lists=("order_by",)),
    Endpoint(("POST",), "/model-versions/set-tag", WRITE, _set_version_tag),
    Endpoint(("DELETE",), "/model-versions/delete-tag", WRITE, _delete_version_tag),
)

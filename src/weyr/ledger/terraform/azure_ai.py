"""What do Azure's machine learning, OpenAI deployments and cognitive accounts cost?

Source of what is counted: azure.microsoft.com/pricing, of OpenAI, speech, language and machine learning; the keys of
use are those of Infracost's usage file. A model's tokens cost by where it runs: in a region, a zone, or anywhere.
"""

from collections.abc import Mapping
from decimal import Decimal

from weyr.ledger.terraform.azure import PROVIDER, line, lines, part, region_of
from weyr.ledger.terraform.azure_machines import machine
from weyr.ledger.terraform.desk import HOURS, MILLION, THOUSAND, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.metered import Item
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

TOKENS = "1K tokens"
PLACES = {
    "standard": "regional", "datazonestandard": "zone", "data_zone_standard": "zone", "globalbatch": "batch",
    "global_batch": "batch", "datazonebatch": "zone.batch", "data_zone_batch": "zone.batch",
}  # fmt: skip
"""By the name of a deployment's SKU; all others run wherever there is room."""
LANGUAGE = ("gpt-", "o1", "o3", "o4", "codex-", "computer-use", "model-router")
LANGUAGE_ITEMS = (
    Item("Text input ({model})", TOKENS, "openai/{rate}.input", "monthly_language_input_tokens", per=THOUSAND),
    Item("Text output ({model})", TOKENS, "openai/{rate}.output", "monthly_language_output_tokens", per=THOUSAND),
    Item("Cached text input ({model})", TOKENS, "openai/{rate}.cached", "monthly_language_cached_input_tokens",
         per=THOUSAND),
)  # fmt: skip
SEARCHED = (
    Item("File search tool calls", "1k calls", "openai/tool.file_search", "monthly_file_search_tool_calls",
         per=THOUSAND),
    Item("File search vector storage", "GB", "openai/tool.file_search.storage", "monthly_file_search_storage_gb"),
)  # fmt: skip
TOOLS = (
    Item("Code interpreter sessions", "sessions", "openai/tool.code_interpreter", "monthly_code_interpreter_sessions"),
)  # fmt: skip
AUDIO_ITEMS = tuple(
    Item(f"Audio {way} tokens ({{model}})", "1k tokens", f"openai/{{rate}}.audio.{way}", f"monthly_audio_{way}_tokens",
         per=THOUSAND)
    for way in ("input", "output")
)  # fmt: skip
BASE = (Item("Base model tokens ({model})", TOKENS, "openai/{model}.base", "monthly_base_model_tokens", per=THOUSAND),)
TUNED = (
    Item("Fine tuning training ({model})", "hours", "openai/{model}.tuned.training",
         "monthly_fine_tuning_training_hours"),
    Item("Fine tuning hosting ({model})", "hours", "openai/{model}.tuned.hosting", "monthly_fine_tuning_hosting_hours"),
    Item("Fine tuning input ({model})", TOKENS, "openai/{model}.tuned.input", "monthly_fine_tuning_input_tokens",
         per=THOUSAND),
    Item("Fine tuning output ({model})", TOKENS, "openai/{model}.tuned.output", "monthly_fine_tuning_output_tokens",
         per=THOUSAND),
)  # fmt: skip
IMAGES = tuple(
    Item(f"{kind} 1024x{side} images ({{model}})", "100 images", f"openai/{{model}}.{kind.lower()}.{side}",
         f"monthly_{kind.lower()}_1024_{side}_images", per=100)
    for kind in ("Standard", "HD") for side in (1024, 1792)
)  # fmt: skip
EMBEDDINGS = (
    Item("Text embeddings ({model})", TOKENS, "openai/{model}", "monthly_text_embedding_tokens", per=THOUSAND),
)
SPOKEN = (
    Item(
        "Text to speech ({model})", "1M characters", "openai/{model}", "monthly_text_to_speech_characters", per=MILLION
    ),
)
HEARD = (Item("Text to speech ({model})", "hours", "openai/{model}", "monthly_text_to_speech_hours"),)
MODELS: Mapping[str, tuple[Item, ...]] = {
    **dict.fromkeys(("babbage-002", "davinci-002"), (*BASE, *TUNED)),
    **dict.fromkeys(("gpt-35-turbo", "gpt-35-turbo-16k"), (*LANGUAGE_ITEMS, *TOOLS, *TUNED)),
    "dall-e-2": IMAGES[:1],
    "dall-e-3": IMAGES,
    **dict.fromkeys([f"text-embedding-{each}" for each in ("ada-002", "3-small", "3-large")], EMBEDDINGS),
    "tts": SPOKEN,
    "tts-hd": SPOKEN,
    "whisper": HEARD,
}
"""What is counted of models that are not plainly of language."""


def compute(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """An instance, or the nodes of a cluster: as many as it keeps, and one where only its hours are stated. Of low
    priority no price is known: this is the most that they cost."""
    hours = usage.number("monthly_hrs")
    kind = resource.text("virtual_machine_size") or resource.text("vm_size")
    count = Decimal(1)
    if resource.type.endswith("_cluster"):
        least = resource.block("scale_settings").number("min_node_count", 0) or Decimal(0)
        count = usage.number("instances") or (max(least, Decimal(1)) if hours is not None else least)
    return part(resource, machine(desk, resource, kind, (HOURS if hours is None else hours) * count))


def deployment(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    model, sku = resource.block("model"), resource.block("sku")
    name, where = model.text("name").lower(), sku.text("name").lower()
    if resource.block("scale").text("tier").lower() == "free":
        return None
    items = MODELS.get(name) or ((*LANGUAGE_ITEMS, *TOOLS) if name.startswith(LANGUAGE) else ())
    if not items:
        return unpriced(resource, f"no price is known for the model {name or 'it runs'}")
    items = (*items, *(item for item in SEARCHED if usage.has(item.key)))
    if "audio" in name or "realtime" in name:
        items = (*items, *AUDIO_ITEMS)
    if "provisioned" in where:
        beside = [item for item in items if item not in LANGUAGE_ITEMS]
        units = _provisioned(desk, resource, name, where)
        return part(resource, units, *lines(desk, resource, usage, beside, model=name, rate=name))
    rate = _rate_of(desk, resource, name, model.text("version").lower(), PLACES.get(where, "global"))
    return part(resource, *lines(desk, resource, usage, items, model=name, rate=rate))


def _rate_of(desk: Desk, resource: Resource, model: str, version: str, place: str) -> str:
    """Of the version where that has a price of its own, else of the model."""
    exact = f"{model}-{version}.{place}"
    has_own = version and desk.rate("openai", region_of(desk, resource), f"{exact}.input", PROVIDER)
    return exact if has_own else f"{model}.{place}"


def _provisioned(desk: Desk, resource: Resource, model: str, where: str) -> Line:
    place = "zone" if "zone" in where else "global" if "global" in where else "regional"
    units = resource.block("sku").number("capacity", 1) or Decimal(1)
    name = f"Provisioned throughput units ({model})"
    return line(desk, resource, name, "hours", units * HOURS, f"openai/provisioned.{place}")


def _items(service: str, rows: tuple[tuple[str, str, str, Decimal | int], ...], key: str) -> tuple[Item, ...]:
    """Rows of a name, a unit, the middle of a key and how many are in a unit."""
    return tuple(
        Item(name, unit, f"{service}/{middle}", key.format(middle), per=per) for name, unit, middle, per in rows
    )


CHARS = "1M chars"
TO_TEXT, TO_SPEECH = "Speech to text", "Text to speech"
SPEECH = _items("speech", (
    (TO_TEXT, "hours", "speech_to_text_standard_hrs", 1),
    (f"{TO_TEXT} batch", "hours", "speech_to_text_standard_batch_hrs", 1),
    (f"{TO_TEXT} custom model", "hours", "speech_to_text_custom_hrs", 1),
    (f"{TO_TEXT} custom model batch", "hours", "speech_to_text_custom_batch_hrs", 1),
    (f"{TO_TEXT} custom endpoint hosting", "hours", "speech_to_text_custom_endpoint_hrs", 1),
    (f"{TO_TEXT} custom training", "hours", "speech_to_text_custom_training_hrs", 1),
    (f"{TO_TEXT} enhanced add-ons", "hours", "speech_to_text_enhanced_add_ons_hrs", 1),
    (f"{TO_TEXT} conversation transcription multi-channel audio", "hours",
     "speech_to_text_conversation_transcription_multi_channel_audio_hrs", 1),
    (f"{TO_SPEECH} neural", CHARS, "text_to_speech_neural_chars", MILLION),
    (f"{TO_SPEECH} custom neural training", "hours", "text_to_speech_custom_neural_training_hrs", 1),
    (f"{TO_SPEECH} custom neural", CHARS, "text_to_speech_custom_neural_chars", MILLION),
    (f"{TO_SPEECH} custom neural endpoint hosting", "hours", "text_to_speech_custom_neural_endpoint_hrs", 1),
    (f"{TO_SPEECH} long audio", CHARS, "text_to_speech_long_audio_chars", MILLION),
    (f"{TO_SPEECH} personal voice profiles", "1K profiles", "text_to_speech_personal_voice_profiles", THOUSAND),
    (f"{TO_SPEECH} personal voice characters", CHARS, "text_to_speech_personal_voice_chars", MILLION),
    ("Speech translation", "hours", "speech_translation_hrs", 1),
    ("Speaker verification", "1K transactions", "speaker_verification_transactions", THOUSAND),
    ("Speaker identification", "1K transactions", "speaker_identification_transactions", THOUSAND),
    ("Voice profiles", "1K profiles", "voice_profiles", THOUSAND),
), "monthly_{}")  # fmt: skip
RECORDS = "1K records"
TEXT = _items("language", (
    ("Text analytics", RECORDS, "text_analytics_records", THOUSAND),
    ("Summarization", RECORDS, "summarization_records", THOUSAND),
    ("Conversational language understanding", RECORDS, "conversational_language_understanding_records", THOUSAND),
    ("Conversational language understanding advanced training", "hour",
     "conversational_language_understanding_advanced_training_hours", 1),
    ("Customized text classification", RECORDS, "customized_text_classification_records", THOUSAND),
    ("Customized summarization", RECORDS, "customized_summarization_records", THOUSAND),
    ("Customized question answering", RECORDS, "customized_question_answering_records", THOUSAND),
    ("Customized training", "hour", "customized_training_hours", 1),
    ("Text analytics for health", RECORDS, "text_analytics_for_health_records", THOUSAND),
), "monthly_language_{}")  # fmt: skip
LUIS = _items("luis", (
    ("Text requests", "1K transactions", "text_requests", THOUSAND),
    ("Speech requests", "1K transactions", "speech_requests", THOUSAND),
), "monthly_luis_{}")  # fmt: skip
PROMISES = {
    "speechservices": ("speech", (
        (TO_TEXT, "overage", "hours", "speech_to_text_standard", "_hrs", "_hrs", 1),
        (f"{TO_TEXT} custom model", "overage", "hours", "speech_to_text_custom", "_hrs", "_hrs", 1),
        (f"{TO_TEXT} enhanced add-ons", "overage", "hours", "speech_to_text_enhanced_add_ons", "_hrs", "_hrs", 1),
        (f"{TO_SPEECH} neural", "overage", CHARS, "text_to_speech_neural", "_commitment_chars", "_chars", MILLION),
    )),
    "textanalytics": ("language", (
        ("Text analytics", "commitment overage", RECORDS, "language_text_analytics", "_records", "_records", THOUSAND),
        ("Summarization", "commitment overage", RECORDS, "language_summarization", "_records", "_records", THOUSAND),
    )),
    "luis": ("luis", (
        ("Text requests", "commitment overage", "1K transactions", "luis_text", "_requests", "_requests", THOUSAND),
    )),
}  # fmt: skip
"""What can be promised for a month, and what is used beyond it: names, units and the parts of their keys."""
COUNTED = {"speechservices": SPEECH, "textanalytics": TEXT, "luis": LUIS}


def account(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    """One of OpenAI costs what is deployed in it; the others what is used of them, or promised to be."""
    kind, sku = resource.text("kind").lower(), resource.text("sku_name").lower()
    if kind in ("openai", "aiservices") or sku == "f0":
        return None
    if kind not in COUNTED or sku not in ("s", "s0", "s1"):
        return unpriced(resource, f"no price is known for {resource.text('kind') or 'its kind'} of size {sku}")
    promised = _promised(desk, resource, usage, kind)
    stems = {each.name.partition(" (")[0] for each in promised}
    counted = [item for item in COUNTED[kind] if item.name not in stems or usage.has(item.key)]
    return part(resource, *promised, *lines(desk, resource, usage, counted))


def _promised(desk: Desk, resource: Resource, usage: Amounts, kind: str) -> list[Line]:
    """A promise is paid whole, so its rate is for all of it; what is used in one's own containers has its own."""
    service, rows = PROMISES[kind]
    found: list[Line] = []
    for name, beyond, unit, stem, end, beyond_end, per in rows:
        for prefix, label in (("", ""), ("connected_container_", "connected container ")):
            key = f"monthly_{prefix}commitment_{stem}"
            amount, more = usage.number(f"{key}{end}"), usage.number(f"{key}_overage{beyond_end}")
            if not amount:
                continue
            rate = f"{service}/{prefix}commitment.{stem}.{amount:f}"
            over_name = "Text requests" if name == "Text analytics" else name
            found.append(line(desk, resource, f"{name} ({label}commitment)", unit, 1, rate, per / amount))
            if more is not None:
                found.append(line(desk, resource, f"{over_name} ({label}{beyond})", unit, more, f"{rate}.overage", per,
                                  is_usage=True))  # fmt: skip
    return found


PRICERS: dict[str, Pricer] = {
    "azurerm_machine_learning_compute_instance": compute,
    "azurerm_machine_learning_compute_cluster": compute,
    "azurerm_cognitive_deployment": deployment,
    "azurerm_cognitive_account": account,
}

"""How is a folder of Hugging Face's transformers served? By what its architecture is for.

The weights are safetensors, which hold only numbers; pickled ones (`pytorch_model.bin`) are not read, and code that a
folder brings along is not run (`trust_remote_code` stays off).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weyr.runtime.serve.formats.mlmodel import ModelFile
from weyr.runtime.serve.formats.sentences import TEXT, Sentences, manner_of, tokenizer_in
from weyr.runtime.serve.formats.text_generator import TextGenerator
from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.model import Predictor, Unloadable
from weyr.runtime.serve.tensor import Malformed, TensorSpec

if TYPE_CHECKING:
    from weyr.runtime.serve.tensor import Array

LABEL, SCORES = "label", "scores"
TASKS = {"text-generation": "generation", "feature-extraction": "embedding", "text-classification": "classification"}
"""MLflow's names of tasks, as far as they are served here."""


def transformers_folder(folder: Path, tokenizer_folder: Path, task: str, loading: Loading) -> Predictor:
    """Takes `task` as MLflow names it, "" for the one that the architecture is for. Raises: Unloadable."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    if not list(folder.glob("*.safetensors")):
        raise Unloadable("its weights are not in safetensors, which is what save_pretrained makes")
    torch.set_num_threads(max(1, loading.threads))
    kind = _kind_of(folder, task)
    loaders = {
        "generation": AutoModelForCausalLM,
        "classification": AutoModelForSequenceClassification,
        "embedding": AutoModel,
    }
    model = loaders[kind].from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, local_files_only=True, dtype="auto"
    )
    model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    # cuDNN's attention is compiled anew for each length of a text, which is for each token of an answer: on an H100, 14
    # to 19 tokens a second of lengths that were new to it, and 52 to 55 of those it had had before.
    torch.backends.cuda.enable_cudnn_sdp(False)
    match kind:
        case "generation":
            return TextGenerator(model, tokenizer_folder)
        case "classification":
            return TextClassifier(model, tokenizer_in(tokenizer_folder))
        case _:
            return _sentences(folder, tokenizer_folder, model)


def transformers_flavour(file: ModelFile, loading: Loading) -> Predictor:
    """A pipeline that MLflow saved: the model and its tokenizer lie in folders of their own. Raises: Unloadable."""
    flavour = file.flavours["transformers"]
    if "peft_adaptor" in flavour:
        raise Unloadable("it is an adapter without its base model; merge them (merge_and_unload) before saving")
    if "model_binary" not in flavour:
        raise Unloadable("it names a model on a hub instead of holding it; save it with save_pretrained=True")
    folder = file.folder_inside(flavour["model_binary"])
    return transformers_folder(
        folder, file.folder_inside("components/tokenizer"), str(flavour.get("task", "")), loading
    )


def _kind_of(folder: Path, task: str) -> str:
    architecture = str((json.loads((folder / "config.json").read_bytes()).get("architectures") or [""])[0])
    if task:
        if task not in TASKS:
            raise Unloadable(f'its task is "{task}"; these are served: {", ".join(TASKS)}')
        return TASKS[task]
    if architecture.endswith(("ForCausalLM", "LMHeadModel")):
        return "generation"
    if architecture.endswith("ForSequenceClassification"):
        return "classification"
    if architecture.endswith(("Model", "ForMaskedLM")):
        return "embedding"
    raise Unloadable(
        f'its architecture is "{architecture}"; those are served that generate text (ForCausalLM), classify texts '
        "(ForSequenceClassification) or encode them (Model, ForMaskedLM). A class of your own can serve any other"
    )


class TextClassifier:
    """`text` in; the likeliest `label` and the `scores` of all labels out."""

    platform = "transformers"
    is_rowwise = True

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        config = model.config
        self._labels = [str(config.id2label[number]) for number in range(config.num_labels)]
        self._tokens_max = int(getattr(config, "max_position_embeddings", 0) or 512)
        pad = getattr(config, "pad_token_id", None)
        self._pad = 0 if pad is None else int(pad)
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec(TEXT, "BYTES", (-1,)),)
        self.outputs: tuple[TensorSpec, ...] = (
            TensorSpec(LABEL, "BYTES", (-1,)),
            TensorSpec(SCORES, "FP32", (-1, len(self._labels))),
        )

    def predict(self, inputs: Mapping[str, "Array"], outputs: tuple[str, ...]) -> Mapping[str, "Array"]:
        import numpy as np
        import torch

        encoded = self._tokenizer.encode_batch(inputs[TEXT].tolist())
        longest = max(1, *(len(one.ids) for one in encoded))
        if longest > self._tokens_max:
            raise Malformed(f"a text has {longest} tokens; the model takes {self._tokens_max}")
        ids, mask = np.full((len(encoded), longest), self._pad), np.zeros((len(encoded), longest), np.int64)
        for row, one in enumerate(encoded):
            ids[row, : len(one.ids)] = one.ids
            mask[row, : len(one.ids)] = 1
        with torch.inference_mode():
            given = self._model(**_on(self._model, input_ids=ids, attention_mask=mask)).logits.float()
            scores = torch.softmax(given, dim=-1).cpu().numpy()
        labels = np.array([self._labels[best] for best in scores.argmax(axis=1)], dtype=object)
        answer = {LABEL: labels, SCORES: scores}
        return {name: answer[name] for name in outputs}

    def warm_up(self) -> None:
        import numpy as np

        self.predict({TEXT: np.array(["a"], dtype=object)}, (LABEL,))


def _sentences(folder: Path, tokenizer_folder: Path, model: Any) -> Sentences:
    import torch

    def encode(ids: "Array", mask: "Array") -> "Array":
        with torch.inference_mode():
            states = model(**_on(model, input_ids=ids, attention_mask=mask)).last_hidden_state
        given: Array = states.float().cpu().numpy()
        return given

    return Sentences("transformers", tokenizer_in(tokenizer_folder), manner_of(folder), encode)


def _on(model: Any, **arrays: "Array") -> dict[str, Any]:
    """The arrays as tensors where the model is."""
    import torch

    return {name: torch.from_numpy(array).to(model.device) for name, array in arrays.items()}

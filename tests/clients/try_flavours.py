"""Saves a model of each kind with the library that it comes from, loads it as a replica does, and tells what it says.

`try_flavours.py FOLDER ANSWER` runs in an environment with PyTorch, transformers, XGBoost and LightGBM. In one process:
importing them takes longer than all the rest. It writes JSON: of each kind its metadata, what the library answered to
a few inputs, and what the replica answers.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.lightgbm
import mlflow.pytorch
import mlflow.transformers
import mlflow.xgboost
import numpy as np
import pandas as pd
import torch
import transformers
import xgboost
from mlflow.models import infer_signature
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from weyr.runtime.serve.formats.trust import Loading
from weyr.runtime.serve.language import Message, Sampling
from weyr.runtime.serve.load import load
from weyr.runtime.serve.model import Model, Unloadable
from weyr.runtime.serve.tensor import DTYPES

CHANCE = np.random.default_rng(1)
ROWS = CHANCE.standard_normal((60, 4))
LABELS = (ROWS.sum(axis=1) > 0).astype(int)
SAFE, TRUSTED = Loading(), Loading(allows_code=True)
WORDS = ["<pad>", "</s>", "<user>", "<assistant>", "good", "bad", "day", "night", "morning", "rain", "sun", "tea"]
TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}<user> {% endif %}{{ message.content }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def xgboost_estimator(folder: Path) -> Any:
    table = pd.DataFrame(ROWS, columns=list("abcd"))
    model = xgboost.XGBClassifier(n_estimators=5).fit(table, LABELS)
    predicted = model.predict(table)
    mlflow.xgboost.save_model(model, str(folder), signature=infer_signature(table, predicted), pip_requirements=[])
    return predicted[:5].tolist()


def xgboost_booster(folder: Path) -> Any:
    rows = xgboost.DMatrix(ROWS, LABELS)
    booster = xgboost.train({"objective": "binary:logistic"}, rows, 5)
    predicted = booster.predict(rows)
    mlflow.xgboost.save_model(booster, str(folder), signature=infer_signature(ROWS, predicted), pip_requirements=[])
    return predicted[:5].tolist()


def lightgbm_estimator(folder: Path) -> Any:
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(ROWS, LABELS)
    predicted = model.predict(ROWS)
    mlflow.lightgbm.save_model(
        model,
        str(folder),
        signature=infer_signature(ROWS, predicted),
        serialization_format="cloudpickle",
        pip_requirements=[],
    )
    return predicted[:5].tolist()


def lightgbm_booster(folder: Path) -> Any:
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(ROWS, LABELS), 5)
    predicted = booster.predict(ROWS)
    mlflow.lightgbm.save_model(booster, str(folder), signature=infer_signature(ROWS, predicted), pip_requirements=[])
    return predicted[:5].tolist()


def _module() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()


def _torch_saved(folder: Path, module: Any, how: str) -> Any:
    rows = ROWS.astype(np.float32)
    predicted = _module()(torch.from_numpy(rows)).detach().numpy()
    mlflow.pytorch.save_model(
        module,
        str(folder),
        signature=infer_signature(rows, predicted),
        input_example=rows if how == "pt2" else None,
        serialization_format=how,
        pip_requirements=[],
    )
    return predicted[:5].tolist()


def pytorch_exported(folder: Path) -> Any:
    return _torch_saved(folder, _module(), "pt2")


def pytorch_pickled(folder: Path) -> Any:
    return _torch_saved(folder, _module(), "pickle")


def pytorch_script(folder: Path) -> Any:
    return _torch_saved(folder, torch.jit.script(_module()), "pickle")


def tokenizer(folder: Path) -> Any:
    """A vocabulary of a dozen words, and a template for conversations."""
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="$A")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    return fast


def _causal() -> Any:
    torch.manual_seed(6)
    config = transformers.LlamaConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, eos_token_id=1, bos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def generation(folder: Path) -> Any:
    """What transformers' own `generate` makes of the same prompt."""
    model, words = _causal(), tokenizer(folder)
    model.save_pretrained(folder)
    ids = torch.tensor([words.encode("good day")])
    made = model.generate(ids, max_new_tokens=10, do_sample=False, attention_mask=torch.ones_like(ids))[0][2:]
    return words.decode(made, skip_special_tokens=True)


def generation_flavour(folder: Path) -> Any:
    words = tokenizer(folder.with_name("words"))
    pipeline = {"model": _causal(), "tokenizer": words}
    mlflow.transformers.save_model(pipeline, str(folder), task="text-generation", pip_requirements=[])
    return None


def _bert(kind: Any, **more: Any) -> Any:
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, **more,
    )  # fmt: skip
    return kind(config).eval()


def classification(folder: Path) -> Any:
    labels = {0: "dry", 1: "wet"}
    model, words = _bert(transformers.BertForSequenceClassification, id2label=labels), tokenizer(folder)
    model.save_pretrained(folder)
    texts = ["good day", "rain rain tea"]
    given = transformers.pipeline("text-classification", model=model, tokenizer=words, top_k=1)(texts)
    return [[one[0]["label"], one[0]["score"]] for one in given]


def embedding(folder: Path) -> Any:
    model, words = _bert(transformers.BertModel), tokenizer(folder)
    model.save_pretrained(folder)
    ids = torch.tensor([words.encode("good day")])
    mean = model(input_ids=ids).last_hidden_state[0].mean(dim=0)
    return (mean / mean.norm()).tolist()


def pickled_weights(folder: Path) -> Any:
    """A folder as transformers made them before safetensors."""
    model = _bert(transformers.BertModel)
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return None


KINDS: list[Callable[[Path], Any]] = [
    xgboost_estimator, xgboost_booster, lightgbm_estimator, lightgbm_booster, pytorch_exported, pytorch_pickled,
    pytorch_script, generation, generation_flavour, classification, embedding, pickled_weights,
]  # fmt: skip


def asked(kind: str, model: Model) -> Any:
    """What the replica answers to what the library was asked."""
    inputs = model.predictor.inputs
    if model.generator:
        prompt: Any = [Message("user", "good day")] if kind == "generation_flavour" else "good day"
        made = [
            model.generator.generate(prompt, sampling)
            for sampling in (
                Sampling(tokens_max=10, temperature=0.0),
                Sampling(tokens_max=10, top_p=0.9, seed=7),
                Sampling(tokens_max=10, top_p=0.9, seed=7),
            )
        ]
        pieces = [list(one.pieces) for one in made]
        return {
            "texts": ["".join(piece.text for piece in of) for of in pieces],
            "prompt_tokens": made[0].prompt_tokens,
            "tokens": sum(piece.tokens for piece in pieces[0]),
            "finish": pieces[0][-1].finish,
            "can_chat": model.generator.can_chat,
        }
    if model.embedder:
        given = model.embedder.embed(["good day", "rain sun tea night"])
        return {"vectors": given.vectors.tolist(), "tokens": given.tokens}
    names = tuple(spec.name for spec in model.predictor.outputs)
    if kind == "classification":
        texts = np.array(["good day", "rain rain tea"], dtype=object)
        answer = model.predictor.predict({"text": texts}, names)
    elif len(inputs) == 4:
        answer = model.predictor.predict({spec.name: ROWS[:5, at] for at, spec in enumerate(inputs)}, names)
    else:
        rows = ROWS[:5].astype(DTYPES[inputs[0].datatype])
        answer = model.predictor.predict({inputs[0].name: rows}, names)
    return {name: array.tolist() for name, array in answer.items()}


def told(folder: Path, make: Callable[[Path], Any]) -> dict[str, Any]:
    kind = make.__name__
    place = folder / kind
    if kind in ("generation", "classification", "embedding", "pickled_weights"):
        place.mkdir()
    library = make(place)
    try:
        model, refused = load(place, kind, "1", SAFE), ""
    except Unloadable as e:
        refused = str(e)
        try:
            model = load(place, kind, "1", TRUSTED)
        except Unloadable:
            return {"refused": refused}
    answer = asked(kind, model)
    is_rowwise = model.predictor.is_rowwise
    return {**model.metadata(), "library": library, "answer": answer, "refused": refused, "is_rowwise": is_rowwise}


if __name__ == "__main__":
    torch.set_num_threads(1)
    models_folder = Path(sys.argv[1])
    Path(sys.argv[2]).write_text(json.dumps({make.__name__: told(models_folder, make) for make in KINDS}))

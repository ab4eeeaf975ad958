"""What do the peers of `bench/server_peers.py` run? Each one's echo and its digits, as its own documentation says.

A program is a file `program.py` beside `model.pickle`; it serves both, and answers in the Open Inference Protocol's
JSON wherever its framework leaves it free to.
"""

import json
from pathlib import Path

PICKLE = """
    import pickle, sys
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    pixels, labels = load_digits(return_X_y=True)
    with open(sys.argv[1] + "/model.pickle", "wb") as file:
        pickle.dump(LogisticRegression(max_iter=300).fit(pixels / 16, labels), file)
"""
_MODEL = """
import pickle
import numpy as np

with open("model.pickle", "rb") as file:
    MODEL = pickle.load(file)

def echo(tensor):
    return {"outputs": [{"name": "y", "shape": tensor["shape"], "datatype": "FP64", "data": tensor["data"]}]}

def digits(tensor):
    given = MODEL.predict(np.array(tensor["data"]).reshape(tensor["shape"]))
    return {"outputs": [{"name": "predict", "shape": list(given.shape), "datatype": "INT64", "data": given.tolist()}]}
"""
FASTAPI = (
    _MODEL
    + """
from fastapi import FastAPI
from pydantic import BaseModel

class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]

class Ask(BaseModel):
    inputs: list[Tensor]

app = FastAPI()

@app.post("/echo")
async def asked_echo(ask: Ask):
    return echo(ask.inputs[0].model_dump())

@app.post("/digits")
def asked_digits(ask: Ask):
    return digits(ask.inputs[0].model_dump())
"""
)
LITSERVE = (
    _MODEL
    + """
import sys
import litserve

class Api(litserve.LitAPI):
    answer = staticmethod(echo)
    def setup(self, device):
        pass
    def decode_request(self, request):
        return request["inputs"][0]
    def predict(self, tensor):
        return type(self).answer(tensor)
    def encode_response(self, output):
        return output

class Digits(Api):
    answer = staticmethod(digits)

if __name__ == "__main__":
    apis = [Api(api_path="/echo"), Digits(api_path="/digits")]
    server = litserve.LitServer(apis, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error")
"""
)
BENTOML = (
    _MODEL
    + """
from typing import Any
import bentoml

@bentoml.service(workers=1)
class Peer:
    @bentoml.api
    def echo(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return echo(inputs[0])

    @bentoml.api
    def digits(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        return digits(inputs[0])
"""
)
KSERVE = (
    _MODEL
    + """
import sys
from kserve import InferOutput, InferResponse, Model, ModelServer

class Echo(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True
    async def predict(self, payload, headers=None, response_headers=None):
        asked = payload.inputs[0]
        made = InferOutput("y", list(asked.shape), asked.datatype, list(asked.data))
        return InferResponse(payload.id or "1", self.name, [made])

class Digits(Echo):
    async def predict(self, payload, headers=None, response_headers=None):
        given = MODEL.predict(payload.inputs[0].as_numpy())
        made = InferOutput("predict", list(given.shape), "INT64", given.tolist())
        return InferResponse(payload.id or "1", self.name, [made])

if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1, access_log_format=None).start(
        [Echo("echo"), Digits("digits")])
"""
)
RAY_SERVE = (
    _MODEL
    + """
import signal, sys
import ray
from ray import serve

@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0})
class Peer:
    def __init__(self, model):
        global MODEL
        MODEL = model
    async def __call__(self, request):
        tensor = (await request.json())["inputs"][0]
        return digits(tensor) if request.url.path == "/digits" else echo(tensor)

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Peer.bind(MODEL), route_prefix="/")
    signal.sigwait({signal.SIGTERM})
"""
)
MLSERVER = """
from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput

class Echo(MLModel):
    async def load(self):
        return True
    async def predict(self, payload):
        asked = payload.inputs[0]
        made = ResponseOutput(name="y", shape=asked.shape, datatype=asked.datatype, data=asked.data)
        return InferenceResponse(model_name=self.name, outputs=[made])
"""


def mlserver_settings(home: Path, http: int, grpc: int, metrics: int) -> None:
    """MLServer's own files. Without worker processes a request costs it least."""
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1"}
    quiet = {"parallel_workers": 0, "debug": False, "logging_settings": None}
    (home / "settings.json").write_text(json.dumps(ports | {k: v for k, v in quiet.items() if v is not None}))
    (home / "model.joblib").write_bytes((home / "model.pickle").read_bytes())
    models = {"echo": "program.Echo", "digits": "mlserver_sklearn.SKLearnModel"}
    for name, implementation in models.items():
        folder = home / "models" / name
        folder.mkdir(parents=True)
        plain = {"name": name, "implementation": implementation, "parameters": {"uri": str(home / "model.joblib")}}
        (folder / "model-settings.json").write_text(json.dumps(plain))

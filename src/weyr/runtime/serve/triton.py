"""What do Triton's tools ask of a model beside the protocol? Its configuration and its statistics. Pure.

Source: the extensions model_configuration and statistics, in Triton's documentation (2025-11).
"""

from typing import Any

from weyr.runtime.serve.counts import Counts
from weyr.runtime.serve.model import Model
from weyr.runtime.serve.shelf import Slot
from weyr.runtime.serve.tensor import TensorSpec

NS = 1_000_000_000


def config(model: Model) -> dict[str, Any]:
    """The answer to `GET /v2/models/NAME/config`. `max_batch_size` 0: the shapes there name every axis."""
    predictor = model.predictor
    return {
        "name": model.name,
        "platform": predictor.platform,
        "backend": predictor.platform,
        "version_policy": {"specific": {"versions": [int(model.version)] if model.version.isdigit() else []}},
        "max_batch_size": 0,
        "input": [_described(spec) for spec in predictor.inputs],
        "output": [_described(spec) for spec in predictor.outputs],
    }


def statistics(slot: Slot) -> dict[str, Any]:
    """One model's statistics since it was loaded; durations in nanoseconds."""
    counts = slot.batcher.counts if slot.batcher else Counts()
    ended = counts.successes + counts.failures + counts.refused
    compute = {"count": ended, "ns": int(counts.compute_s * NS)}
    none = {"count": 0, "ns": 0}
    return {
        "name": slot.source.name,
        "version": slot.source.version,
        "last_inference": counts.last_at_ms,
        "inference_count": counts.rows,
        "execution_count": counts.calls,
        "inference_stats": {
            "success": {"count": counts.successes, "ns": int((counts.queue_s + counts.compute_s) * NS)},
            "fail": {"count": counts.failures + counts.refused, "ns": 0},
            "queue": {"count": ended, "ns": int(counts.queue_s * NS)},
            "compute_input": none,
            "compute_infer": compute,
            "compute_output": none,
            "cache_hit": none,
            "cache_miss": none,
        },
        "batch_stats": [
            {
                "batch_size": rows,
                "compute_input": {"count": calls, "ns": 0},
                "compute_infer": {"count": calls, "ns": int(took_s * NS)},
                "compute_output": {"count": calls, "ns": 0},
            }
            for rows, (calls, took_s) in sorted(counts.by_rows.items())
        ],
        "memory_usage": [{"type": "CPU", "id": 0, "byte_size": slot.size_bytes}] if slot.batcher else [],
    }


def _described(spec: TensorSpec) -> dict[str, Any]:
    datatype = "STRING" if spec.datatype == "BYTES" else spec.datatype
    return {"name": spec.name, "data_type": f"TYPE_{datatype}", "dims": list(spec.shape)}

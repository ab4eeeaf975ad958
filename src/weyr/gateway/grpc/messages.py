"""What do the messages of the protocol's gRPC service look like? Described here, field by field, and built from that.

No code is generated, so that no compiler's version has to match; a pool of its own keeps these messages apart from
those of a client in the same process. On the wire are the numbers of fields, and no names of messages.

Source: open_inference_grpc.proto at https://github.com/kserve/open-inference-protocol, commit d49cc23 (Apache-2.0), and
for the repository, configuration and statistics Triton's grpc_service.proto and model_config.proto (BSD-3-Clause),
2025-11.
"""

from functools import cache
from typing import Any

SERVICE = "inference.GRPCInferenceService"

DESCRIBED = """
ServerLiveRequest
ServerLiveResponse: 1 bool live
ServerReadyRequest
ServerReadyResponse: 1 bool ready
ModelReadyRequest: 1 string name, 2 string version
ModelReadyResponse: 1 bool ready
ServerMetadataRequest
ServerMetadataResponse: 1 string name, 2 string version, 3 string* extensions
ModelMetadataRequest: 1 string name, 2 string version
TensorMetadata: 1 string name, 2 string datatype, 3 int64* shape
ModelMetadataResponse: 1 string name, 2 string* versions, 3 string platform, 4 TensorMetadata* inputs,
  5 TensorMetadata* outputs, 6 string% properties
InferParameter: 1 bool bool_param |, 2 int64 int64_param |, 3 string string_param |, 4 double double_param |,
  5 uint64 uint64_param |
InferTensorContents: 1 bool* bool_contents, 2 int32* int_contents, 3 int64* int64_contents, 4 uint32* uint_contents,
  5 uint64* uint64_contents, 6 float* fp32_contents, 7 double* fp64_contents, 8 bytes* bytes_contents
InferInputTensor: 1 string name, 2 string datatype, 3 int64* shape, 4 InferParameter% parameters,
  5 InferTensorContents contents
InferRequestedOutputTensor: 1 string name, 2 InferParameter% parameters
ModelInferRequest: 1 string model_name, 2 string model_version, 3 string id, 4 InferParameter% parameters,
  5 InferInputTensor* inputs, 6 InferRequestedOutputTensor* outputs, 7 bytes* raw_input_contents
InferOutputTensor: 1 string name, 2 string datatype, 3 int64* shape, 4 InferParameter% parameters,
  5 InferTensorContents contents
ModelInferResponse: 1 string model_name, 2 string model_version, 3 string id, 4 InferParameter% parameters,
  5 InferOutputTensor* outputs, 6 bytes* raw_output_contents
ModelStreamInferResponse: 1 string error_message, 2 ModelInferResponse infer_response
ModelIndex: 1 string name, 2 string version, 3 string state, 4 string reason
RepositoryIndexRequest: 1 string repository_name, 2 bool ready
RepositoryIndexResponse: 1 ModelIndex* models
ModelRepositoryParameter: 1 bool bool_param |, 2 int64 int64_param |, 3 string string_param |, 4 bytes bytes_param |
RepositoryModelLoadRequest: 1 string repository_name, 2 string model_name, 3 ModelRepositoryParameter% parameters
RepositoryModelLoadResponse
RepositoryModelUnloadRequest: 1 string repository_name, 2 string model_name, 3 ModelRepositoryParameter% parameters
RepositoryModelUnloadResponse
ModelConfigRequest: 1 string name, 2 string version
Specific: 1 int64* versions
ModelVersionPolicy: 3 Specific specific
ModelTensor: 1 string name, 2 int32 data_type, 4 int64* dims
ModelOutput: 1 string name, 2 int32 data_type, 3 int64* dims
ModelConfig: 1 string name, 2 string platform, 3 ModelVersionPolicy version_policy, 4 int32 max_batch_size,
  5 ModelTensor* input, 6 ModelOutput* output, 17 string backend
ModelConfigResponse: 1 ModelConfig config
ModelStatisticsRequest: 1 string name, 2 string version
StatisticDuration: 1 uint64 count, 2 uint64 ns
InferStatistics: 1 StatisticDuration success, 2 StatisticDuration fail, 3 StatisticDuration queue,
  4 StatisticDuration compute_input, 5 StatisticDuration compute_infer, 6 StatisticDuration compute_output,
  7 StatisticDuration cache_hit, 8 StatisticDuration cache_miss
InferBatchStatistics: 1 uint64 batch_size, 2 StatisticDuration compute_input, 3 StatisticDuration compute_infer,
  4 StatisticDuration compute_output
MemoryUsage: 1 string type, 2 int64 id, 3 uint64 byte_size
ModelStatistics: 1 string name, 2 string version, 3 uint64 last_inference, 4 uint64 inference_count,
  5 uint64 execution_count, 6 InferStatistics inference_stats, 7 InferBatchStatistics* batch_stats,
  8 MemoryUsage* memory_usage
ModelStatisticsResponse: 1 ModelStatistics* model_stats
"""
"""One message a line, its fields as `number type name`. `*` after a type: repeated; `%`: a map from text to it; `|`
after a name: one of the fields so marked is set, at most."""

DATA_TYPES = {
    "BOOL": 1, "UINT8": 2, "UINT16": 3, "UINT32": 4, "UINT64": 5, "INT8": 6, "INT16": 7, "INT32": 8, "INT64": 9,
    "FP16": 10, "FP32": 11, "FP64": 12, "STRING": 13, "BF16": 14,
}  # fmt: skip
"""The numbers of model_config.proto's `TYPE_...`; an enum travels as an int32 does."""

_SCALARS = ("double", "float", "int64", "uint64", "int32", None, None, "bool", "string", None, None, "bytes", "uint32")
"""In the order of descriptor.proto's numbers, from 1."""


@cache
def classes() -> dict[str, Any]:
    """The class of each message."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="weyr/inference.proto", package="inference", syntax="proto3")
    for line in DESCRIBED.replace(",\n ", ",").strip().splitlines():
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for field in filter(None, (field.strip() for field in fields.split(","))):
            number, kind, of, *rest = field.split()
            _add_field(message, int(number), kind, of, is_one_of=rest == ["|"])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{message.name}"))
        for message in file.message_type
    }


def _add_field(message: Any, number: int, kind: str, name: str, is_one_of: bool) -> None:
    """To a DescriptorProto. A map is a repeated message of two fields, as protobuf has it."""
    if kind.endswith("%"):
        entry = message.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        _add_field(entry, 1, "string", "key", is_one_of=False)
        _add_field(entry, 2, kind[:-1], "value", is_one_of=False)
        kind = f"{message.name}.{entry.name}*"
    field = message.field.add(name=name, number=number, label=3 if kind.endswith("*") else 1)
    word = kind.rstrip("*")
    if word in _SCALARS:
        field.type = _SCALARS.index(word) + 1
    else:
        field.type, field.type_name = 11, f".inference.{word}"
    if is_one_of:
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0

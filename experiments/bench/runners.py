"""Exported files in OpenVINO and ONNX Runtime, on one thread, for benchmarks.

Import this before numpy: it sets the thread limits.
"""

import json
import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  (after the thread limits)
import onnxruntime  # noqa: E402
import openvino  # noqa: E402

DTYPES = {"F32": np.float32, "I64": np.int64}


def read_safetensors(path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(
            data[8 + size + begin:8 + size + end],
            DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def onnxruntime_runner(path, tokens):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"tokens": tokens})[0]


def read_model(core, path, tokens):
    model = core.read_model(str(path))
    model.reshape({"tokens": list(tokens.shape)})
    return model


def openvino_request(core, model, **settings):
    return core.compile_model(model, "CPU", {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
    } | settings).create_infer_request()


def openvino_runner(core, model, tokens):
    request = openvino_request(core, model)
    shared = openvino.Tensor(tokens.copy(), shared_memory=False)

    def run():
        request.set_input_tensor(shared)
        request.infer()
        return request.get_output_tensor().data.copy()

    return run

"""Exported files in OpenVINO and ONNX Runtime, on one thread, for benchmarks.

Import this before numpy: it sets the thread limits.
"""

import json
import os
import time

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


def openvino_runner(core, model, tokens, **settings):
    request = openvino_request(core, model, **settings)
    shared = openvino.Tensor(tokens.copy(), shared_memory=False)

    def run():
        request.set_input_tensor(shared)
        request.infer()
        return request.get_output_tensor().data.copy()

    return run


def relative_error(logits, reference):
    """As docs/measurement.md has it."""
    return np.sqrt(np.mean((logits - reference) ** 2)) / reference.std()


def median_ms(run, seconds=0.03):
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def time_in_turn(runners, rounds):
    """Milliseconds [rounds, runners] in the order A B C A B C ..."""
    for run in runners:
        median_ms(run)
    return np.array([[median_ms(run) for run in runners]
                     for _ in range(rounds)])


def interval(values):
    """Bootstrap 95 % interval of the median."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (2000, len(values))), axis=1)
    return np.quantile(medians, [0.025, 0.975])


def shape_key(name):
    """Sorts "d64_t16..." by its numbers."""
    return [int(part[1:]) for part in name.split("_")[:2]]

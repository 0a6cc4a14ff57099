"""Attention's products in f32 and in a8, in OpenVINO and ONNX Runtime.

Files of two w8a8 blocks that differ in their products alone, timed in turn
(A B A B ...) on one thread; logits are compared with the plain reference before
a time is reported. Files come from the tests' writer:
  build/release/tests/eval/write_fixtures DIR products
  PYTHONPATH=... python3 experiments/bench/attention_products.py --dir DIR
Needs numpy, onnxruntime and openvino, the last from the folder that
scripts/setup installs OpenVINO into. Prints a Markdown table; --kernels lists
what OpenVINO runs instead.
"""

import argparse
import collections
import json
import os
import pathlib
import time

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  (after the thread limits)
import onnxruntime  # noqa: E402
import openvino  # noqa: E402

LARGEST_ERROR = 0.02
ROUNDS = 7
ROUND_SECONDS = 0.03
DTYPES = {"F32": np.float32, "I64": np.int64}


def read_fixture(folder):
    data = (folder / "fixture.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])

    def tensor(name):
        entry = header[name]
        begin, end = entry["data_offsets"]
        return np.frombuffer(data[8 + size + begin:8 + size + end],
                             DTYPES[entry["dtype"]]).reshape(entry["shape"])

    return tensor("tokens"), tensor("logits")


def openvino_runner(core, path, tokens):
    model = core.read_model(str(path))
    model.reshape({"tokens": list(tokens.shape)})
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False})
    request = compiled.create_infer_request()
    request.set_input_tensor(openvino.Tensor(tokens.copy()))

    def run():
        request.infer()
        return request.get_output_tensor().data

    return run, compiled


def onnxruntime_runner(path, tokens):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"tokens": tokens})[0]


def kernels(compiled):
    def text(value):
        return str(value.astype(str))

    counts = collections.Counter()
    for op in compiled.get_runtime_model().get_ops():
        info = op.get_rt_info()
        layer = text(info["layerType"])
        if layer in ("Const", "Input", "Output"):
            continue
        counts[(layer, text(info["primitiveType"]),
                text(info["runtimePrecision"]))] += 1
    return counts


def median_ms(run):
    times = []
    end = time.perf_counter() + ROUND_SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def time_in_turn(runners):
    for run in runners:
        median_ms(run)
    rounds = [[median_ms(run) for run in runners] for _ in range(ROUNDS)]
    return np.median(np.array(rounds), axis=0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--kernels", action="store_true")
    arguments = parser.parse_args()
    core = openvino.Core()
    shapes = sorted({folder.name.rsplit("_", 1)[0]
                     for folder in arguments.dir.iterdir()},
                    key=lambda name: [int(part[1:])
                                      for part in name.split("_")])
    if not arguments.kernels:
        print("| shape | openvino f32 | openvino a8 | ratio "
              "| onnxruntime f32 | onnxruntime a8 | ratio |")
        print("|---|---|---|---|---|---|---|")
    for shape in shapes:
        runners = []
        for products in ("f32", "a8"):
            folder = arguments.dir / f"{shape}_{products}"
            tokens, logits = read_fixture(folder)
            run, compiled = openvino_runner(core, folder / "model.onnx", tokens)
            if arguments.kernels:
                print(folder.name)
                for kernel, count in sorted(kernels(compiled).items()):
                    print("  ", count, *kernel)
                continue
            runners += [run, onnxruntime_runner(folder / "model.onnx", tokens)]
            for one in runners[-2:]:
                error = np.sqrt(np.mean((one() - logits) ** 2)) / logits.std()
                if not error < LARGEST_ERROR:
                    raise SystemExit(f"{folder.name}: logits differ by {error}")
        if runners:
            ov_f32, ort_f32, ov_a8, ort_a8 = time_in_turn(runners)
            print(f"| {shape} | {ov_f32:.3f} | {ov_a8:.3f} "
                  f"| {ov_a8 / ov_f32:.2f} | {ort_f32:.3f} | {ort_a8:.3f} "
                  f"| {ort_a8 / ort_f32:.2f} |", flush=True)


if __name__ == "__main__":
    main()

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
import pathlib

from runners import (onnxruntime_runner, openvino_request, openvino_runner,
                     read_model, read_safetensors, relative_error, shape_key,
                     time_in_turn)  # sets the thread limits

import numpy as np  # noqa: E402  (after them)
import openvino  # noqa: E402

LARGEST_ERROR = 0.02
ROUNDS = 7


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--kernels", action="store_true")
    arguments = parser.parse_args()
    core = openvino.Core()
    shapes = sorted({folder.name.rsplit("_", 1)[0]
                     for folder in arguments.dir.iterdir()},
                    key=shape_key)
    if not arguments.kernels:
        print("| shape | openvino f32 | openvino a8 | ratio "
              "| onnxruntime f32 | onnxruntime a8 | ratio |")
        print("|---|---|---|---|---|---|---|")
    for shape in shapes:
        runners = []
        for products in ("f32", "a8"):
            folder = arguments.dir / f"{shape}_{products}"
            path = folder / "model.onnx"
            tensors, _ = read_safetensors(folder / "fixture.safetensors")
            tokens = np.ascontiguousarray(tensors["tokens"])
            logits = tensors["logits"]
            model = read_model(core, path, tokens)
            if arguments.kernels:
                print(folder.name)
                compiled = openvino_request(core, model).get_compiled_model()
                for kernel, count in sorted(kernels(compiled).items()):
                    print("  ", count, *kernel)
                continue
            runners += [openvino_runner(core, model, tokens),
                        onnxruntime_runner(path, tokens)]
            for one in runners[-2:]:
                error = relative_error(one(), logits)
                if not error < LARGEST_ERROR:
                    raise SystemExit(f"{folder.name}: logits differ by {error}")
        if runners:
            ov_f32, ort_f32, ov_a8, ort_a8 = np.median(
                time_in_turn(runners, ROUNDS), axis=0)
            print(f"| {shape} | {ov_f32:.3f} | {ov_a8:.3f} "
                  f"| {ov_a8 / ov_f32:.2f} | {ort_f32:.3f} | {ort_a8:.3f} "
                  f"| {ort_a8 / ort_f32:.2f} |", flush=True)


if __name__ == "__main__":
    main()

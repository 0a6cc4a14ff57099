"""Networks that compute in bf16 beside f32 and w8a8 ones, in OpenVINO.

Text classifiers of two blocks (4 heads, FFN 4 d) that differ in precision
alone, timed in turn (A B C A B C ...) on one thread; logits are compared with
the plain reference of each file before a time is reported. Files come from the
tests' writer:
  build/release/tests/eval/write_fixtures DIR bf16
  PYTHONPATH=... python3 experiments/bench/bf16.py --dir DIR
Needs numpy, onnxruntime and openvino, the last from the folder that
scripts/setup installs OpenVINO into, and a CPU with avx512_bf16 or amx_bf16.
"""

import argparse
import pathlib

from runners import (interval, openvino_runner, read_model, read_safetensors,
                     relative_error, shape_key,
                     time_in_turn)  # sets the thread limits

import numpy as np  # noqa: E402  (after them)
import openvino  # noqa: E402

KINDS = ["f32", "bf16", "w8a8", "w8a8-bf16"]
LARGEST_ERROR = {"f32": 1e-4, "bf16": 0.02, "w8a8": 0.01, "w8a8-bf16": 0.04}
ROUNDS = 15


def runner(core, folder, kind):
    tensors, _ = read_safetensors(folder / "fixture.safetensors")
    tokens = np.ascontiguousarray(tensors["tokens"])
    run = openvino_runner(
        core, read_model(core, folder / "model.onnx", tokens), tokens,
        INFERENCE_PRECISION_HINT="bf16" if "bf16" in kind else "f32")
    error = relative_error(run(), tensors["logits"])
    if not error < LARGEST_ERROR[kind]:
        raise SystemExit(f"{folder.name}: logits differ by {error}")
    return run, error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise SystemExit("this CPU has neither avx512_bf16 nor amx_bf16")
    print("| shape | f32 ms | bf16 ms | w8a8 ms | w8a8, rest bf16 ms "
          "| bf16 / f32 | w8a8 / f32 | w8a8, rest bf16 / f32 "
          "| error bf16 | MB f32, bf16 |")
    print("|---" * 10 + "|")
    for shape in sorted({folder.name.rsplit("_", 1)[0]
                         for folder in arguments.dir.iterdir()},
                        key=shape_key):
        folders = [arguments.dir / f"{shape}_{kind}" for kind in KINDS]
        runs, errors = zip(*(runner(core, folder, kind)
                             for folder, kind in zip(folders, KINDS)))
        times = time_in_turn(runs, ROUNDS)
        ratios = []
        for column in times.T[1:]:
            of_rounds = column / times.T[0]
            low, high = interval(of_rounds)
            ratios.append(f"{np.median(of_rounds):.2f} ({low:.2f}-{high:.2f})")
        sizes = [(folder / "model.onnx").stat().st_size / 1e6
                 for folder in folders[:2]]
        print(f"| {shape} | " +
              " | ".join(f"{one:.3f}" for one in np.median(times, axis=0)) +
              " | " + " | ".join(ratios) +
              f" | {errors[1]:.4f} | {sizes[0]:.1f}, {sizes[1]:.1f} |",
              flush=True)


if __name__ == "__main__":
    main()

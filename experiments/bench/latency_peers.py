"""Latency of Hone's exported files beside ONNX Runtime and PyTorch eager.

All programs run the same weights on the same tokens in one process on one
thread, timed in turn (A B C A B C ...). Logits are compared before a time is
reported. Contenders:

  openvino f32, openvino w8a8        our files, set up as eval/engine does
  openvino w8a8, a8                  with attention's own products in 8 bits
                                     too, as in NNCF's
  onnxruntime f32, onnxruntime w8a8  the same files
  onnxruntime dynamic                quantize_dynamic of the f32 file (s8 weights)
  nncf                               nncf.quantize of the f32 file, calibrated on
                                     the same tokens, in OpenVINO as our files
  pytorch f32                        eager functional ops in inference mode

Files come from the tests' writer:
  build/release/tests/eval/write_fixtures DIR peers
  PYTHONPATH=... python3 experiments/bench/latency_peers.py --dir DIR
A second table has the times of the linear layers alone, from OpenVINO's own
profile of our two files.

Needs numpy, nncf, onnx, onnxruntime, openvino and torch; the folders of the last two
are those that scripts/setup installs LibTorch and OpenVINO into.
"""

import argparse
import json
import logging
import pathlib
import platform
import sys
import time

from runners import (onnxruntime_runner, openvino_request, openvino_runner,
                     read_model, read_safetensors)  # sets the thread limits

import nncf  # noqa: E402  (after them)
import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import openvino  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: E402
from onnxruntime.quantization.shape_inference import (  # noqa: E402
    quant_pre_process)

OURS = "openvino w8a8"
PRODUCTS = "openvino w8a8, a8"
F32_DIFFERENCE = 1e-3
QUANTIZED_ERROR = 0.01  # against the reference of the same quantized weights
OWN_GRID_ERROR = 0.3  # of peers that round by themselves, against f32
WARM_UP_SECONDS = 0.3
BURSTS = 20
BURST = 20
ROLES = ("encoder.1.attention.value", "encoder.1.attention.output",
         "encoder.1.feed_forward.up", "encoder.1.feed_forward.down")


def pytorch_runner(tensors, architecture, tokens):
    weights = {name: torch.from_numpy(value.copy())
               for name, value in tensors.items()}
    tokens_BT = torch.from_numpy(tokens.copy())
    d_model = architecture["stem"]["d_model"]

    def linear(name, x):
        return F.linear(x, weights[name + ".weight"], weights[name + ".bias"])

    def norm(name, x):
        return F.layer_norm(x, (d_model,), weights[name + ".weight"],
                            weights[name + ".bias"], 1e-5)

    def attention(name, x, heads):
        batch, length, _ = x.shape

        def split(role):
            return linear(name + role, x).view(
                batch, length, heads, -1).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            split(".query"), split(".key"), split(".value"))
        return linear(name + ".output",
                      mixed.transpose(1, 2).reshape(batch, length, d_model))

    @torch.inference_mode()
    def run():
        x = F.embedding(tokens_BT, weights["embedding.weight"])
        x = x + weights["position.weight"][:tokens_BT.shape[1]]
        for i, block in enumerate(architecture["encoder"]):
            name = f"encoder.{i}"
            x = x + attention(name + ".attention",
                              norm(name + ".attention_norm", x),
                              block["attention"]["heads"])
            hidden = F.gelu(linear(name + ".feed_forward.up",
                                   norm(name + ".feed_forward_norm", x)))
            x = x + linear(name + ".feed_forward.down", hidden)
        return linear("classifier", norm("encoder.norm", x).mean(1)).numpy()

    return run


def nncf_model(core, path, tokens):
    data = nncf.Dataset([tokens], lambda item: {"tokens": item})
    return nncf.quantize(read_model(core, path, tokens), data,
                         model_type=nncf.ModelType.TRANSFORMER, subset_size=1)


def linear_times(core, paths, tokens, bursts):
    """For each file: role of a linear layer -> microseconds in its node.

    The least of many runs: clocks of single nodes are coarse, and whatever
    disturbs them only adds. Bursts keep each model's weights in the cache.
    """
    requests = [openvino_request(core, read_model(core, path, tokens),
                                 PERF_COUNT=True) for path in paths]
    shared = openvino.Tensor(tokens.copy(), shared_memory=False)
    least = [{} for _ in paths]
    for _ in range(bursts):
        for request, found in zip(requests, least):
            for _ in range(BURST):
                request.set_input_tensor(shared)
                request.infer()
                for node in request.profiling_info:
                    role = node.node_name.rsplit("/", 1)[0]
                    if node.node_type == "FullyConnected" and role in ROLES:
                        time_us = node.real_time.total_seconds() * 1e6
                        found[role] = min(time_us, found.get(role, np.inf))
    return least


def print_linears(folder, shapes, core):
    print("\nlinear layers of the second block in OpenVINO, microseconds "
          "in f32 and as w8a8\n")
    print("| shape | " + " | ".join(
        role.split(".", 2)[2] for role in ROLES) + " |")
    print("|---" * (len(ROLES) + 1) + "|")
    for shape in shapes:
        files = [folder / f"{shape}_{precision}" / "model.onnx"
                 for precision in ("f32", "w8a8")]
        tokens = read_safetensors(
            folder / f"{shape}_f32" / "fixture.safetensors")[0]["tokens"]
        exact, rounded = linear_times(core, files, np.ascontiguousarray(tokens),
                                      BURSTS)
        print(f"| {shape} | " + " | ".join(
            f"{exact[role]:.0f}, {rounded[role]:.0f}: "
            f"{exact[role] / max(rounded[role], 1):.1f}" for role in ROLES)
            + " |", flush=True)


def relative_error(actual, expected):
    return float(np.sqrt(np.mean((actual - expected) ** 2)) / expected.std())


def require_logits(name, actual, expected, bound, relative):
    error = (relative_error(actual, expected) if relative
             else float(np.abs(actual - expected).max()))
    if not error <= bound:
        sys.exit(f"{name}: logits differ by {error}, at most {bound} allowed; "
                 "no time is reported")
    return error


def make_contenders(folder, shape, core):
    """name -> runner for one shape, with logits checked, and their errors."""
    f32, metadata = read_safetensors(
        folder / f"{shape}_f32" / "fixture.safetensors")
    w8a8, _ = read_safetensors(folder / f"{shape}_w8a8" / "fixture.safetensors")
    tokens = np.ascontiguousarray(f32["tokens"])
    f32_file = folder / f"{shape}_f32" / "model.onnx"
    w8a8_file = folder / f"{shape}_w8a8" / "model.onnx"
    products, _ = read_safetensors(
        folder / f"{shape}_w8a8_a8" / "fixture.safetensors")
    products_file = folder / f"{shape}_w8a8_a8" / "model.onnx"
    dynamic_file = folder / f"{shape}_f32" / "dynamic.onnx"
    # Folds the transposed weights first: quantize_dynamic sees constants alone.
    quant_pre_process(str(f32_file), str(dynamic_file),
                      skip_symbolic_shape=True)
    quantize_dynamic(str(dynamic_file), str(dynamic_file), per_channel=False,
                     weight_type=QuantType.QInt8,
                     op_types_to_quantize=["MatMul"])
    runners = {
        "openvino f32": openvino_runner(
            core, read_model(core, f32_file, tokens), tokens),
        OURS: openvino_runner(
            core, read_model(core, w8a8_file, tokens), tokens),
        PRODUCTS: openvino_runner(
            core, read_model(core, products_file, tokens), tokens),
        "nncf": openvino_runner(
            core, nncf_model(core, f32_file, tokens), tokens),
        "onnxruntime f32": onnxruntime_runner(f32_file, tokens),
        "onnxruntime w8a8": onnxruntime_runner(w8a8_file, tokens),
        "onnxruntime dynamic": onnxruntime_runner(dynamic_file, tokens),
        "pytorch f32": pytorch_runner(
            f32, json.loads(metadata["architecture"]), tokens),
    }
    errors = {}
    for name, runner in runners.items():
        label = f"{shape}, {name}"
        if name.endswith("f32"):
            errors[name] = require_logits(
                label, runner(), f32["logits"], F32_DIFFERENCE, False)
        elif "w8a8" in name:
            expected = products if name == PRODUCTS else w8a8
            errors[name] = require_logits(
                label, runner(), expected["logits"], QUANTIZED_ERROR, True)
        else:
            errors[name] = require_logits(
                label, runner(), f32["logits"], OWN_GRID_ERROR, True)
    return runners, errors


def time_in_turn(runners, rounds, round_seconds):
    """name -> the median of each round in milliseconds."""
    for runner in runners.values():
        end = time.perf_counter() + WARM_UP_SECONDS
        while time.perf_counter() < end:
            runner()
    medians = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            times = []
            while len(times) < 3 or sum(times) < round_seconds:
                start = time.perf_counter()
                runner()
                times.append(time.perf_counter() - start)
            medians[name].append(1e3 * float(np.median(times)))
    return medians


def ratio_of(ours, other):
    """Median of the rounds' ratios with a bootstrap 95 % interval."""
    ratios = np.array(ours) / np.array(other)
    resamples = np.random.default_rng(0).choice(
        ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(resamples, axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--round-ms", type=float, default=20)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    nncf.set_log_level(logging.ERROR)
    core = openvino.Core()
    shapes = sorted(
        {path.name.removesuffix("_f32")
         for path in arguments.dir.glob("*_f32")},
        key=lambda name: [int(part[1:]) for part in name.split("_")])
    if not shapes:
        sys.exit(f"{arguments.dir}: no *_f32; run write_fixtures first")
    report = {
        "cpu": cpu_name(),
        "openvino": openvino.__version__,
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__,
        "rounds": arguments.rounds,
        "round_milliseconds": arguments.round_ms,
        "shapes": {},
    }
    print("median ms, 1 thread, batch 1; ratio: openvino w8a8 over the fastest "
          "of the others, per round, with a 95 % interval; then with products "
          "in a8")
    for number, shape in enumerate(shapes):
        runners, errors = make_contenders(arguments.dir, shape, core)
        rounds = time_in_turn(runners, arguments.rounds,
                              arguments.round_ms / 1e3)
        medians = {name: float(np.median(times))
                   for name, times in rounds.items()}
        peers = [name for name in rounds if not name.startswith("openvino")]
        best = min(peers, key=medians.get)
        ratio, low, high = ratio_of(rounds[OURS], rounds[best])
        other, other_low, other_high = ratio_of(rounds[PRODUCTS], rounds[best])
        report["shapes"][shape] = {
            "median_ms": medians, "rounds_ms": rounds, "logit_error": errors,
            "best_peer": best, "ratio": ratio, "ratio_low": low,
            "ratio_high": high,
            "products_ratio": other, "products_ratio_low": other_low,
            "products_ratio_high": other_high,
        }
        if number == 0:
            print("| shape | " + " | ".join(rounds)
                  + " | best peer | ratio | ratio with a8 |")
            print("|---" * (len(rounds) + 4) + "|")
        print(f"| {shape} | "
              + " | ".join(f"{medians[name]:.3f}" for name in rounds)
              + f" | {best} | {ratio:.2f} ({low:.2f}-{high:.2f}) | "
              f"{other:.2f} ({other_low:.2f}-{other_high:.2f}) |", flush=True)
    print_linears(arguments.dir, shapes, core)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What each precision costs and gives: one trained model, many exported files.

Runs `hone train` for each precision and seed and prints a Markdown table. All
precisions of a seed share one trained student, so that only the rounding of its
weights and activations differs. Latencies of different rows are not of one
round: compare their ratios to the reference model.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

GPTQ = {"quantization.rounding": "gptq"}
AUTO = {"quantization.calibration": "auto"}
SMOOTH = {"quantization.smoothing": "true"}
BIAS = {"quantization.bias_correction": "true"}
QAT = {"quantization.qat_steps": 500}

VARIANTS = {
    "f32": ("f32", {}),
    "w8a8": ("w8a8", {}),
    "w8a8 8-bit weights": ("w8a8", {"quantization.reduce_range": "false"}),
    "w8a8 auto": ("w8a8", AUTO),
    "w8a8 entropy": ("w8a8", {"quantization.calibration": "entropy"}),
    "w8a8 min-max": ("w8a8", {"quantization.calibration": "min-max"}),
    "w8a8 smoothing": ("w8a8", SMOOTH),
    "w8a8 bias correction": ("w8a8", BIAS),
    "w8": ("w8", {}),
    "w4": ("w4", {}),
    "w4 gptq": ("w4", GPTQ),
    "w4:row": ("w4:row", {}),
    "w4:row gptq": ("w4:row", GPTQ),
    "w4-asymmetric": ("w4-asymmetric", {}),
    "w4-nf4": ("w4-nf4", {}),
    "w4-kmeans": ("w4-kmeans", {}),
    "w4-log2": ("w4-log2", {}),
    "w4-apot": ("w4-apot", {}),
    "w4a8": ("w4a8", {}),
    "w4a8 gptq": ("w4a8", GPTQ),
    "w3": ("w3", {}),
    "w3 gptq": ("w3", GPTQ),
    "w3 gptq, smoothing, bias": ("w3", GPTQ | SMOOTH | BIAS),
    "w2": ("w2", {}),
    "w2 gptq": ("w2", GPTQ),
    "w2-kmeans gptq": ("w2-kmeans", GPTQ),
    "w2 gptq, smoothing, bias": ("w2", GPTQ | SMOOTH | BIAS),
    "w2 qat": ("w2", QAT),
    "w2a8": ("w2a8", {}),
    "w2a8 qat": ("w2a8", QAT),
}
# The token table beside: precision of blocks, of the table, settings.
TABLES = {
    "table w8": ("f32", "w8", {}),
    "table w4:row": ("f32", "w4:row", {}),
    "table w2:row": ("f32", "w2:row", {}),
    "table w2:row qat": ("f32", "w2:row", QAT),
    "w8a8, table w8": ("w8a8", "w8", {}),
    "w4 gptq, table w4:row": ("w4", "w4:row", GPTQ),
    "w2a8 qat, table w2:row": ("w2a8", "w2:row", QAT),
}


def train(args, architecture, precision, table, settings):
    architecture["stem"].pop("embedding", None)
    if table != "f32":
        architecture["stem"]["embedding"] = table
    for side in ("encoder", "decoder"):
        for block in architecture[side]:
            block["precision"] = precision
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(architecture, file)
        file.flush()
        command = [args.hone, "train", args.spec, "--architecture", file.name,
                   "--json"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return {name: metric["value"]
            for name, metric in json.loads(done.stdout)["metrics"].items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/gloss.toml")
    parser.add_argument("--architecture", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--metric", default="accuracy")
    parser.add_argument("--scale", type=float, default=100,
                        help="multiplies the metric in the table")
    parser.add_argument("--only", action="append", choices=[*VARIANTS, *TABLES],
                        help="this variant, instead of all")
    parser.add_argument("--set", action="append", default=[],
                        help="key=value for every run")
    args = parser.parse_args()
    common = dict(item.split("=", 1) for item in args.set)
    architecture = json.loads(args.architecture.read_text())
    print(f"| precision | {args.metric} | against f32, each seed | file bytes |"
          " latency ratio |\n|---|---|---|---|---|", flush=True)
    exact = {}
    variants = {name: (precision, "f32", settings)
                for name, (precision, settings) in VARIANTS.items()} | TABLES
    for name, (precision, table, settings) in variants.items():
        if args.only and name not in args.only and name != "f32":
            continue
        runs = [train(args, architecture, precision, table,
                      common | settings | {"study.seed": seed})
                for seed in range(1, args.seeds + 1)]
        values = [args.scale * run[args.metric] for run in runs]
        exact.setdefault("values", values)
        changes = ", ".join(f"{value - base:+.2f}"
                            for value, base in zip(values, exact["values"]))
        print(f"| {name} | {statistics.mean(values):.2f} | {changes} | "
              f"{runs[0]['file_bytes']:.0f} | "
              f"{statistics.mean(run['latency_ratio'] for run in runs):.3f} |",
              flush=True)


if __name__ == "__main__":
    main()

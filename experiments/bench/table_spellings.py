#!/usr/bin/env python3
"""Ways to write a quantized token table in ONNX, in both engines.

One lookup of 16 tokens in a table of 20,000 x 128, their mean and a linear
layer, as f32; as DequantizeLinear and then Gather; and as the exporter writes
it, codes and scales gathered first. Prints bytes of the file, growth of the
process's resident memory over loading and running, and the median of 2,000
runs, for each spelling in a process of its own. Needs onnx, numpy and
onnxruntime; openvino where it is installed. Answers are checked against numpy.
"""
import argparse
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROWS, DIM, CLASSES, TOKENS, RUNS = 20_000, 128, 45, 16, 2_000
SPELLINGS = ["f32", "w8 dequantized first", "w8", "w4", "w2"]
ENGINES = ["onnxruntime", "openvino"]


def codes_of(bits, rows, rng):
    levels = {8: np.arange(-128, 128), 4: np.arange(-8, 8),
              2: np.array([-3, -1, 1, 3])}[bits].astype(np.float32)
    return rng.integers(0, 1 << bits, (rows, DIM)), levels


def lookup(spelling, rows, rng):
    """Nodes that make "x" of "tokens", constants, and what the table says."""
    if spelling == "f32":
        table = rng.standard_normal((rows, DIM)).astype(np.float32)
        return ([helper.make_node("Gather", ["table", "tokens"], ["x"])],
                {"table": table}, table)
    bits = int(spelling[1])
    codes, levels = codes_of(bits, rows, rng)
    scales = rng.uniform(0.01, 0.02, (rows, 1)).astype(np.float32)
    exact = levels[codes] * scales
    if "first" in spelling:
        return ([helper.make_node("DequantizeLinear", ["codes", "scales"],
                                  ["table"], axis=0),
                 helper.make_node("Gather", ["table", "tokens"], ["x"])],
                {"codes": levels[codes].astype(np.int8),
                 "scales": scales[:, 0]}, exact)
    tail = [helper.make_node("Gather", ["scales", "tokens"], ["s"]),
            helper.make_node("Mul", ["l", "s"], ["x"])]
    first = helper.make_node("Gather", ["codes", "tokens"], ["g"])
    if bits == 8:
        return ([first, helper.make_node("Cast", ["g"], ["l"],
                                         to=TensorProto.FLOAT), *tail],
                {"codes": levels[codes].astype(np.int8), "scales": scales},
                exact)
    per = 8 // bits
    packed = sum(codes[:, i::per] << (bits * i) for i in range(per))
    places = np.arange(256)[:, None] >> (bits * np.arange(per))
    return ([first,
             helper.make_node("Cast", ["g"], ["p"], to=TensorProto.INT32),
             helper.make_node("Gather", ["levels", "p"], ["r"]),
             helper.make_node("Reshape", ["r", "shape"], ["l"]), *tail],
            {"codes": packed.astype(np.uint8), "scales": scales,
             "levels": levels[places % (1 << bits)],
             "shape": np.array([0, 0, -1])}, exact)


def write(spelling, rows, path):
    rng = np.random.default_rng(0)
    nodes, constants, table = lookup(spelling, rows, rng)
    constants["classes"] = rng.standard_normal((DIM, CLASSES)).astype(
        np.float32)
    constants["axis"] = np.array([1])
    nodes += [helper.make_node("ReduceMean", ["x", "axis"], ["mean"],
                               keepdims=0),
              helper.make_node("MatMul", ["mean", "classes"], ["logits"])]
    graph = helper.make_graph(
        nodes, "table",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64,
                                       [1, TOKENS])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT,
                                       [1, CLASSES])],
        [numpy_helper.from_array(value, name)
         for name, value in constants.items()])
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
        path)
    tokens = rng.integers(0, rows, (1, TOKENS))
    return tokens, table[tokens].mean(axis=1) @ constants["classes"]


def written(*arguments):
    """Elsewhere, so that no freed memory is there to be used again."""
    with multiprocessing.Pool(1) as pool:
        return pool.apply(write, arguments)


def resident_megabytes():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def runner(engine, path, tokens):
    if engine == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"tokens": tokens})[0]
    import openvino
    core = openvino.Core()
    request = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1,
        "PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
    return lambda: next(iter(request.infer({0: tokens}).values()))


def measure(engine, spelling):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        # What an engine sets up once is not counted.
        tokens, _ = written(spelling, 2 * TOKENS, path)
        runner(engine, path, tokens)()
        tokens, expected = written(spelling, ROWS, path)
        size = pathlib.Path(path).stat().st_size
        before = resident_megabytes()
        run = runner(engine, path, tokens)
        assert np.abs(run() - expected).max() < 1e-4
        grown = resident_megabytes() - before
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    print(f"| {engine} | {spelling} | {size} | {grown:.1f} | "
          f"{statistics.median(times) * 1e6:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(*args.one)
        return
    print("| engine | table | file bytes | memory MB | us |\n"
          "|---|---|---|---|---|", flush=True)
    for engine in ENGINES:
        for spelling in SPELLINGS:
            subprocess.run([sys.executable, __file__, "--one", engine,
                            spelling], check=engine == "onnxruntime")


if __name__ == "__main__":
    main()

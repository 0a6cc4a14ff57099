"""Ways to write a linear layer with 8-bit weights and activations, in engines.

Respells every such layer of exported w8a8 files, and of a file that is one such
layer, and times all spellings of a file in turn (A B C A B C ...) on one
thread, in OpenVINO and ONNX Runtime:

  exported     MatMul(DQ(Q(x)), Transpose(DQ(W[out,in]))) + b, as Hone does
  s32 bias     the same + DQ(b), b in units of the sums
  in by out    the first with W stored [in,out], without the Transpose
  gemm         tokens flattened to rows, Gemm(DQ(Q(x)), DQ(W), b)
  integers     Cast(MatMulInteger(Q(x), W)) * scale + b
  dynamic      DynamicQuantizeLinear(x) instead of the calibrated Q(x), else as
               integers; other numbers, so it is judged by a wider bound

Logits are compared with the plain reference before a time is reported. Files
come from the tests' writer:
  build/release/tests/eval/write_fixtures DIR peers
  PYTHONPATH=... python3 experiments/bench/linear_spellings.py --dir DIR
Needs numpy, onnx, onnxruntime and openvino, the last from the folder that
scripts/setup installs OpenVINO into. Prints a Markdown table of ratios to the
exported spelling in the same engine, and fails where another spelling of the
same numbers is faster: the whole interval of its ratio below --margin.
"""

import argparse
import pathlib
import sys
import tempfile

from runners import (interval, onnxruntime_runner, openvino_runner, read_model,
                     read_safetensors, relative_error,
                     time_in_turn)  # sets the thread limits

import numpy as np  # noqa: E402  (after them)
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import openvino  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

EXPORTED, DYNAMIC = "exported", "dynamic"
LARGEST_ERROR = {EXPORTED: 0.01, DYNAMIC: 0.05}
ROUNDS = 15


class Layer:
    """One linear layer of an exported graph: its nodes and constants."""

    def __init__(self, graph, add):
        makers, constants = graph.makers, graph.constants
        self.add = add
        self.product = makers[add.input[0]]
        self.input = makers[self.product.input[0]]
        self.quantize = makers[self.input.input[0]]
        self.transpose = makers[self.product.input[1]]
        self.weight = makers[self.transpose.input[0]]
        self.codes = constants[self.weight.input[0]]  # [out,in]
        self.scale = constants[self.weight.input[1]]
        self.x_scale = constants[self.quantize.input[1]]
        self.bias = constants[add.input[1]]

    @staticmethod
    def matches(graph, node):
        def maker(name, operation):
            found = graph.makers.get(name)
            return found if found and found.op_type == operation else None

        if node.op_type != "Add":
            return False
        product = maker(node.input[0], "MatMul")
        return bool(product and node.input[1] in graph.constants and
                    maker(product.input[0], "DequantizeLinear") and
                    maker(product.input[1], "Transpose"))

    @property
    def own(self):
        """Nodes that no other layer reads."""
        return [self.product, self.transpose, self.weight]


class Graph:
    """An exported model, open for changes."""

    def __init__(self, path):
        self.model = onnx.load(str(path))
        self.makers = {node.output[0]: node for node in self.model.graph.node}
        self.constants = {one.name: numpy_helper.to_array(one)
                          for one in self.model.graph.initializer}
        self.layers = [Layer(self, node) for node in self.model.graph.node
                       if Layer.matches(self, node)]
        self.added = []

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = value
            self.model.graph.initializer.append(
                numpy_helper.from_array(value, name))
        return name

    def node(self, operation, inputs, output, **attributes):
        if output not in self.makers or self.makers[output].op_type == "Add":
            made = helper.make_node(operation, inputs, [output], **attributes)
            self.makers[output] = made
            self.added.append(made)
        return output

    def respelled(self, spell):
        """The model with every layer spelled by `spell`, in a sound order."""
        gone = {}
        for layer in self.layers:
            self.added = []
            spell(self, layer)
            for node in layer.own:
                gone[node.output[0]] = []
            gone[layer.add.output[0]] = self.added
        nodes = []
        for node in self.model.graph.node:
            nodes += gone.get(node.output[0], [node])
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        self.drop_unread()
        return self.model

    def drop_unread(self):
        graph = self.model.graph
        needed = {one.name for one in graph.output}
        kept = []
        for node in reversed(graph.node):
            if needed & set(node.output):
                needed |= set(node.input)
                kept.append(node)
        constants = [one for one in graph.initializer if one.name in needed]
        del graph.node[:], graph.initializer[:]
        graph.node.extend(reversed(kept))
        graph.initializer.extend(constants)


def s32_bias(graph, layer):
    name = layer.add.output[0]
    scale = (layer.x_scale * layer.scale).astype(np.float32)
    codes = graph.constant(name + "/b",
                           np.rint(layer.bias / scale).astype(np.int32))
    graph.added += [layer.weight, layer.transpose, layer.product]
    bias = graph.node("DequantizeLinear",
                      [codes, graph.constant(name + "/b_scale", scale)],
                      name + "/dq_b", axis=0)
    graph.node("Add", [layer.product.output[0], bias], name)


def in_by_out(graph, layer):
    name = layer.add.output[0]
    weight = graph.node(
        "DequantizeLinear",
        [graph.constant(name + "/w", np.ascontiguousarray(layer.codes.T)),
         layer.weight.input[1]], name + "/dq_w", axis=1)
    product = graph.node("MatMul", [layer.product.input[0], weight],
                         name + "/product")
    graph.node("Add", [product, layer.add.input[1]], name)


def gemm(graph, layer):
    name = layer.add.output[0]
    out, width = layer.codes.shape
    rows = graph.node(
        "Reshape", [layer.quantize.input[0],
                    graph.constant("rows_" + str(width),
                                   np.array([-1, width]))],
        layer.quantize.input[0] + "/rows")
    pair = layer.quantize.output[0] + "/rows"
    codes = graph.node("QuantizeLinear", [rows, *layer.quantize.input[1:]],
                       pair)
    floats = graph.node("DequantizeLinear", [codes, *layer.input.input[1:]],
                        pair + "/dq")
    graph.added.append(layer.weight)
    product = graph.node("Gemm", [floats, layer.weight.output[0],
                                  layer.add.input[1]],
                         name + "/gemm", transB=1)
    sizes = graph.node("Shape", [layer.quantize.input[0]],
                       layer.quantize.input[0] + "/front", end=-1)
    shape = graph.node(
        "Concat", [sizes, graph.constant("out_" + str(out), np.array([out]))],
        layer.quantize.input[0] + "/shape_" + str(out), axis=0)
    graph.node("Reshape", [product, shape], name)


def integer_product(graph, layer, codes, zero, x_scale):
    name = layer.add.output[0]
    sums = graph.node(
        "MatMulInteger",
        [codes, graph.constant(name + "/w",
                               np.ascontiguousarray(layer.codes.T)), zero],
        name + "/sums")
    floats = graph.node("Cast", [sums], name + "/floats",
                        to=TensorProto.FLOAT)
    scaled = graph.node("Mul", [floats, x_scale], name + "/scaled")
    graph.node("Add", [scaled, layer.add.input[1]], name)


def integers(graph, layer):
    scale = graph.constant(layer.add.output[0] + "/s",
                           (layer.x_scale * layer.scale).astype(np.float32))
    integer_product(graph, layer, layer.quantize.output[0],
                    layer.quantize.input[2], scale)


def dynamic(graph, layer):
    x = layer.quantize.input[0]
    outputs = [x + "/codes", x + "/scale", x + "/zero"]
    if outputs[0] not in graph.makers:
        node = helper.make_node("DynamicQuantizeLinear", [x], outputs)
        graph.makers[outputs[0]] = node
        graph.added.append(node)
    name = layer.add.output[0]
    scale = graph.node("Mul", [outputs[1], graph.constant(
        name + "/s", layer.scale.astype(np.float32))], name + "/product_scale")
    integer_product(graph, layer, outputs[0], outputs[2], scale)


SPELLINGS = {EXPORTED: None, "s32 bias": s32_bias, "in by out": in_by_out, "gemm": gemm,
             "integers": integers, DYNAMIC: dynamic}


def write(source, spell, path):
    graph = Graph(source)
    if not graph.layers:
        raise SystemExit(f"{source}: no quantized linear layer was found")
    model = graph.respelled(spell) if spell else graph.model
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def one_layer(path, width, tokens):
    """Writes a layer [width,width] as exported; returns input and output."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, tokens, width)).astype(np.float32)
    codes = rng.integers(-127, 128, (width, width)).astype(np.int8)
    scale = rng.uniform(1e-3, 2e-3, width).astype(np.float32)
    x_scale, zero = np.float32(0.03), np.uint8(128)
    bias = rng.integers(-1000, 1000, width) * (x_scale * scale)
    constants = {"w": codes, "w_scale": scale, "x_scale": np.array(x_scale),
                 "zero": np.array(zero), "b": bias.astype(np.float32)}
    nodes = [
        helper.make_node("QuantizeLinear", ["tokens", "x_scale", "zero"],
                         ["q"]),
        helper.make_node("DequantizeLinear", ["q", "x_scale", "zero"], ["dq"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale"], ["dq_w"],
                         axis=0),
        helper.make_node("Transpose", ["dq_w"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["dq", "turned"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"])]
    sizes = ["batch", "tokens", width]
    graph = helper.make_graph(
        nodes, "layer",
        [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(value, name)
         for name, value in constants.items()])
    onnx.save(helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10),
        str(path))
    rounded = np.clip(np.rint(x / x_scale) + 128, 0, 255) - 128
    sums = rounded.astype(np.int64) @ codes.T.astype(np.int64)
    return x, (sums * (x_scale * scale) + bias).astype(np.float32)


def of_folder(folder):
    tensors, _ = read_safetensors(folder / "fixture.safetensors")
    return np.ascontiguousarray(tensors["tokens"]), tensors["logits"]


def measure(name, source, given, expected, engines):
    """{(engine, spelling): times by rounds} of one file."""
    core = openvino.Core()
    runners = {}
    with tempfile.TemporaryDirectory() as scratch:
        for spelling, spell in SPELLINGS.items():
            path = pathlib.Path(scratch) / "respelled.onnx"
            write(source, spell, path)
            for engine in engines:
                run = (openvino_runner(core, read_model(core, path, given),
                                       given) if engine == "openvino"
                       else onnxruntime_runner(path, given))
                error = relative_error(run(), expected)
                most = LARGEST_ERROR.get(spelling, LARGEST_ERROR[EXPORTED])
                if not error < most:
                    raise SystemExit(f"{name}, {spelling} in {engine}: "
                                     f"outputs differ by {error}")
                runners[engine, spelling] = run
    return dict(zip(runners, time_in_turn(runners.values(), ROUNDS).T))


def sources(arguments, scratch):
    """Name, file, input and expected output of what is respelled."""
    for width in arguments.layers:
        for tokens in (16, 128):
            path = scratch / "layer.onnx"
            yield f"layer d{width} t{tokens}", path, *one_layer(
                path, width, tokens)
    for shape in arguments.shapes:
        folder = arguments.dir / f"{shape}_w8a8"
        yield shape, folder / "model.onnx", *of_folder(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    parser.add_argument("--layers", nargs="*", type=int,
                        default=[128, 256, 512])
    parser.add_argument("--shapes", nargs="*", default=[
        f"d{width}_t{tokens}" for width in (64, 128, 256, 512)
        for tokens in (16, 128)])
    parser.add_argument("--margin", type=float, default=0.95)
    arguments = parser.parse_args()
    others = [spelling for spelling in SPELLINGS if spelling != EXPORTED]
    print(f"OpenVINO {openvino.__version__}, ONNX Runtime "
          f"{onnxruntime.__version__}\n")
    print("| file | engine | ms exported | " + " | ".join(others) +
          " |\n|---|---|---|" + "---|" * len(others))
    better = []
    engines = ("openvino", "onnxruntime")
    with tempfile.TemporaryDirectory() as scratch:
        for name, *source in sources(arguments, pathlib.Path(scratch)):
            times = measure(name, *source, engines)
            for engine in engines:
                own = times[engine, EXPORTED]
                cells = []
                for spelling in others:
                    ratios = times[engine, spelling] / own
                    low, high = interval(ratios)
                    cells.append(
                        f"{np.median(ratios):.2f} ({low:.2f}-{high:.2f})")
                    if spelling != DYNAMIC and high < arguments.margin:
                        better.append(f"{name}, {engine}: {spelling}")
                print(f"| {name} | {engine} | {np.median(own):.3f} | " +
                      " | ".join(cells) + " |", flush=True)
    for line in better:
        print("FASTER THAN EXPORTED:", line)
    return 1 if better else 0


if __name__ == "__main__":
    sys.exit(main())

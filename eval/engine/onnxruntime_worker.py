"""Runs models in ONNX Runtime for Hone, and answers on its standard input.

The input is a socket. A message is two little-endian u64 (bytes of the header,
bytes of the body), a header in JSON, and a body of raw numbers. The first one
goes to Hone and says which version this is; then each request gets one answer,
an error included. The end of the socket ends the worker.

Arguments: the folder of the packages, or nothing for Python's own.
"""

import collections
import json
import math
import os
import socket
import struct
import sys
import tempfile
import time

DTYPES = {"i64": "<i8", "f32": "<f4"}
PRECISIONS = {"float": "f32", "float16": "f16", "bfloat16": "bf16",
              "double": "f64", "uint8": "u8", "int8": "i8", "uint4": "u4",
              "int4": "i4", "int32": "i32", "int64": "i64", "bool": "boolean"}
LOW = {"u8", "i8", "u4", "i4"}


class Channel:
    def __init__(self, connection):
        self.connection = connection

    def exactly(self, size):
        data = bytearray(size)
        view = memoryview(data)
        while len(view):
            count = self.connection.recv_into(view)
            if count == 0:
                sys.exit(0)
            view = view[count:]
        return data

    def receive(self):
        sizes = struct.unpack("<QQ", self.exactly(16))
        header = json.loads(self.exactly(sizes[0]))
        return header, self.exactly(sizes[1])

    def send(self, header, arrays=()):
        text = json.dumps(header).encode()
        parts = [memoryview(array.ravel()).cast("B")
                 for array in arrays if array.size]
        size = sum(len(part) for part in parts)
        self.connection.sendall(struct.pack("<QQ", len(text), size) + text)
        for part in parts:
            self.connection.sendall(part)


def resident_bytes():
    """Of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def fields(data):
    """(number, value) of each field of a protobuf message, in order."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        size = {1: 8, 5: 4}[key & 7] if key & 7 != 2 else varint()
        yield key >> 3, data[at:at + size]
        at += size


def nodes_of(path):
    """(operation, domain, bits of packed weights) of an ONNX file's nodes."""
    with open(path, "rb") as file:
        model = memoryview(file.read())
    for graph in (value for number, value in fields(model) if number == 7):
        for node in (value for number, value in fields(graph) if number == 1):
            operation, domain, bits = "", "ai.onnx", None
            for number, value in fields(node):
                if number == 4:
                    operation = bytes(value).decode()
                elif number == 7 and len(value):
                    domain = bytes(value).decode()
                elif number == 5:
                    attribute = dict(fields(value))  # 1: name, 3: integer
                    if bytes(attribute[1]) == b"bits":
                        bits = attribute.get(3)
            yield operation, domain, bits


def precision_of(arguments):
    """What a node computes in: its 8-bit or 4-bit input if it has one, the
    activations before the weights; else its first input."""
    types = [PRECISIONS.get(name, name)
             for one in arguments["input_type_shape"] for name in one]
    if arguments["op_name"] == "QuantizeLinear":
        return types[0]
    low = [name for name in types if name in LOW]
    return (low or types or ["f32"])[0]


def count_kernels(events, nodes):
    """[operation, domain, precision, count] of a profile's kernels."""
    nodes = list(nodes)
    domains = {operation: domain for operation, domain, _ in nodes}
    # A profile does not show weights that were packed for their kernel.
    packed = {operation: [bits for other, _, bits in nodes
                          if other == operation and bits]
              for operation in domains}
    counts = collections.Counter()
    for event in events:
        if (event.get("cat") != "Node" or
                not event["name"].endswith("_kernel_time")):
            continue
        operation = event["args"]["op_name"]
        precision = precision_of(event["args"])
        if packed.get(operation):
            precision = f"i{packed[operation].pop()}"
        counts[operation, domains.get(operation, "ai.onnx"), precision] += 1
    return [[*key, count] for key, count in sorted(counts.items())]


def resized(array, size, pieces):
    """Each of the `pieces` that the axis before the last is made of, cut or
    padded with zeros to `size` rows."""
    *front, rows, columns = array.shape
    own = rows // pieces
    made = numpy.zeros((*front, pieces, size, columns), numpy.float32)
    kept = min(own, size)
    made[..., :kept, :] = array.reshape(
        *front, pieces, own, columns)[..., :kept, :]
    return made.reshape(*front, pieces * size, columns)


class Model:
    """One file, loaded as a request says."""

    def __init__(self, request):
        self.request = request
        self.session = self.open(self.options())
        self.last = {}

    def open(self, options):
        return onnxruntime.InferenceSession(
            self.request["file"], options,
            providers=["CPUExecutionProvider"])

    def options(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.request["threads"]
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
        options.log_severity_level = 3
        # Threads that wait for the next inference would slow other models.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_session_config_entry(
            "session.qdq_matmulnbits_accuracy_level",
            "4" if self.request["activation_group"] > 0 else "1")
        return options

    def describe(self):
        def values(of):
            return [{"name": one.name, "shape": [
                size if isinstance(size, int) else -1 for size in one.shape]}
                for one in of]

        return {"inputs": values(self.session.get_inputs()),
                "outputs": values(self.session.get_outputs()),
                "metadata": self.session.get_modelmeta().custom_metadata_map}

    def infer(self, session, inputs, outputs):
        """(nanoseconds, values) of one inference."""
        binding = session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name, "cpu")
        start = time.perf_counter_ns()
        session.run_with_iobinding(binding)
        spent = time.perf_counter_ns() - start
        return spent, binding.get_outputs()

    def run(self, inputs, outputs):
        if self.request["timed"]:
            # Waiting for a request has let the caches go cold.
            self.infer(self.session, inputs, outputs)
        self.last = inputs
        return self.infer(self.session, inputs, outputs)

    def kernels(self):
        """[operation, domain, precision, count] of the last inference."""
        with tempfile.TemporaryDirectory() as folder:
            options = self.options()
            options.optimized_model_filepath = os.path.join(folder, "optimized")
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")
            session = self.open(options)
            self.infer(session, self.last,
                       [one.name for one in session.get_outputs()])
            with open(session.end_profiling()) as file:
                events = json.load(file)
            return count_kernels(
                events, nodes_of(options.optimized_model_filepath))


class Server:
    """Models by name, and tensors that stay here between requests by number."""

    def __init__(self):
        self.models = {}
        self.held = {}
        self.before = None

    def answer(self, request, body):
        """(header, arrays) of the answer."""
        for number in request.get("release", ()):
            self.held.pop(number, None)
        what = request["do"]
        if what in ("load", "run", "kernels", "memory"):
            return getattr(self, what)(request, body)
        made = self.tensor(what, request)
        value = onnxruntime.OrtValue.ortvalue_from_numpy(
            numpy.ascontiguousarray(made, numpy.float32))
        self.held[request["held"]] = value
        return {"shape": value.shape()}, ()

    def load(self, request, _):
        if self.before is None:
            self.before = resident_bytes()
        model = Model(request)
        self.models[request["model"]] = model
        return model.describe(), ()

    def run(self, request, body):
        inputs = {}
        at = 0
        for one in request["inputs"]:
            value = self.held.get(one.get("held"))
            if value is None:
                array = numpy.frombuffer(
                    body, DTYPES[one["type"]], math.prod(one["shape"]),
                    at).reshape(one["shape"])
                at += array.nbytes
                value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            inputs[one["name"]] = value
        outputs = request["outputs"]
        spent, values = self.models[request["model"]].run(
            inputs, [one["name"] for one in outputs])
        parts = []
        for one, value in zip(outputs, values):
            if "held" in one:
                self.held[one["held"]] = value
            else:
                parts.append(value.numpy())
        return {"nanoseconds": spent,
                "shapes": [value.shape() for value in values]}, parts

    def kernels(self, request, _):
        return {"kernels": self.models[request["model"]].kernels()}, ()

    def memory(self, *_):
        return {"bytes": max(resident_bytes() - self.before, 0)}, ()

    def tensor(self, what, request):
        """A new tensor from those that are held."""
        if what == "zeros":
            return numpy.zeros(request["shape"])
        given = [self.held[number].numpy() for number in request["of"]]
        if what == "rows":
            return given[0][request["rows"]]
        if what == "resized":
            return resized(given[0], request["size"], request["pieces"])
        if what == "cut_front":
            return given[0][:, :, request["count"]:]
        if what == "joined":
            return numpy.concatenate(given)
        raise ValueError(f"unknown request {what}")


def serve(channel):
    server = Server()
    while True:
        request, body = channel.receive()
        try:
            header, arrays = server.answer(request, body)
        except Exception as error:  # Hone says it in its own words.
            header, arrays = {"error": str(error).strip()}, ()
        channel.send(header, arrays)


def main():
    global numpy, onnxruntime
    channel = Channel(socket.socket(fileno=0))
    # The package for arrays starts threads of its own otherwise.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if len(sys.argv) > 1:
        sys.path.insert(0, sys.argv[1])
    try:
        import numpy
        import onnxruntime
    except ImportError as error:
        channel.send({"error": str(error)})
        return
    channel.send({"version": onnxruntime.__version__})
    serve(channel)


main()

"""Checks exported files with programs that share no code with Hone.

Runs the fixture writer, then for each file onnx.checker (full check, with shape
inference) and ONNX Runtime, whose logits must equal those of the plain
reference that the writer stored beside it. Decoders read all tokens at once,
then again in two parts with what the first part left as the past of the second.
Exits 77 (skipped) when the Python packages are not installed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"skipped: {error}; install onnx, onnxruntime and numpy with "
          "pip --target into the folder named by HONE_TEST_PYTHON")
    sys.exit(77)

# Root mean square of the difference over the logits' spread. Quantized values
# on the edge between two steps of u8 may fall to either side.
LARGEST_RELATIVE_ERROR = 1e-4
LARGEST_QUANTIZED_ERROR = 0.01
OPSET = 21
IR_VERSION = 10
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


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Else ONNX Runtime rounds the activations of 4-bit layers to 8 bits.
    options.add_session_config_entry(
        "session.qdq_matmulnbits_accuracy_level", "1")
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])


def run_classifier(folder, tensors):
    inputs = {name: tensors[name] for name in ("tokens", "features")
              if name in tensors}
    return {"at once": open_session(folder / "model.onnx").run(
        ["logits"], inputs)[0]}


def run_decoder(folder, tensors):
    """The logits of all tokens, read at once and in two parts."""
    tokens = tensors["tokens"]
    batch, length = tokens.shape
    source = {}
    if (folder / "encoder.onnx").exists():
        encoder = open_session(folder / "encoder.onnx")
        names = [output.name for output in encoder.get_outputs()]
        source = dict(zip(names, encoder.run(names, {"tokens": tokens})))
        source["source_mask"] = np.zeros((batch, length), np.float32)
    decoder = open_session(folder / "model.onnx")
    names = [output.name for output in decoder.get_outputs()]
    wanted = {value.name: value.shape for value in decoder.get_inputs()}

    def read(parts):
        past = {}
        for name, shape in wanted.items():
            if name.startswith("past."):
                # Sums start at zero; keys and values have no slots yet.
                past[name] = np.zeros(
                    [batch] + [size if isinstance(size, int) else 0
                               for size in shape[1:]], np.float32)
        logits = []
        for begin, end in parts:
            given = {"tokens": tokens[:, begin:end],
                     "places": np.tile(np.arange(begin, end), (batch, 1)),
                     "slot_places": np.tile(np.arange(end), (batch, 1)),
                     **past, **source}
            answer = dict(zip(names, decoder.run(names, {
                name: given[name] for name in wanted})))
            logits.append(answer["logits"])
            past = {"past." + name.removeprefix("present."): value
                    for name, value in answer.items()
                    if name.startswith("present.")}
        return np.concatenate(logits, axis=1)

    ways = {"at once": read([(0, length)])}
    if length > 1:
        half = length // 2
        ways["in two parts"] = read([(0, half), (half, length)])
    return ways


def check(folder):
    """Returns what is wrong with the files, or an empty string."""
    for path in folder.glob("*.onnx"):
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=True)
        opsets = [(o.domain, o.version) for o in model.opset_import]
        if opsets != [("", OPSET)] or model.ir_version != IR_VERSION:
            return f"opsets {opsets}, IR version {model.ir_version}"
    tensors, metadata = read_safetensors(folder / "fixture.safetensors")
    decodes = json.loads(metadata["architecture"])["decoder"]
    run = run_decoder if decodes else run_classifier
    expected = tensors["logits"]
    for way, logits in run(folder, tensors).items():
        actual = logits.reshape(len(logits), -1)
        if actual.shape != expected.shape:
            return f"logits {actual.shape}, expected {expected.shape}"
        relative = np.sqrt(np.mean((actual - expected) ** 2)) / expected.std()
        print(f"{folder.name}, {way}: relative error {relative:.2e}")
        most = (LARGEST_RELATIVE_ERROR if metadata["precision"] == "f32"
                else LARGEST_QUANTIZED_ERROR)
        if not relative <= most:
            return f"{way}: logits differ by {relative} of their spread"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writer", required=True)
    arguments = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([arguments.writer, folder, "check"], check=True)
        fixtures = sorted(pathlib.Path(folder).iterdir())
        if not fixtures:
            failures.append("the writer wrote nothing")
        for fixture in fixtures:
            wrong = check(fixture)
            if wrong:
                failures.append(f"{fixture.name}: {wrong}")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

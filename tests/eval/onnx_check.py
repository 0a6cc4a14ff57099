"""Checks exported files with programs that share no code with Hone.

Runs the fixture writer, then for each file onnx.checker (full check, with shape
inference) and ONNX Runtime, whose logits must equal those of the plain
reference that the writer stored beside it. Exits 77 (skipped) when the Python
packages are not installed.
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

# f32: largest difference. Quantized: root mean square over the logits' spread,
# since a value on the edge between two steps of u8 may fall to either side.
LARGEST_DIFFERENCE = 1e-4
LARGEST_RELATIVE_ERROR = 0.01
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


def run_onnxruntime(path, tokens):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Else ONNX Runtime rounds the activations of 4-bit layers to 8 bits.
    options.add_session_config_entry(
        "session.qdq_matmulnbits_accuracy_level", "1")
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"tokens": tokens})[0]


def check(path):
    """Returns what is wrong with the file, or an empty string."""
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    opsets = [(o.domain, o.version) for o in model.opset_import]
    if opsets != [("", OPSET)] or model.ir_version != IR_VERSION:
        return f"opsets {opsets}, IR version {model.ir_version}"
    tensors, metadata = read_safetensors(path.with_suffix(".safetensors"))
    expected = tensors["logits"]
    actual = run_onnxruntime(path, tensors["tokens"])
    if actual.shape != expected.shape:
        return f"logits {actual.shape}, expected {expected.shape}"
    difference = np.abs(actual - expected).max()
    relative = np.sqrt(np.mean((actual - expected) ** 2)) / expected.std()
    print(f"{path.stem}: largest difference {difference:.2e}, "
          f"relative error {relative:.2e}")
    if metadata["precision"] == "f32" and not difference <= LARGEST_DIFFERENCE:
        return f"logits differ by {difference}"
    if not relative <= LARGEST_RELATIVE_ERROR:
        return f"logits differ by {relative} of their spread"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writer", required=True)
    arguments = parser.parse_args()
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([arguments.writer, folder, "check"], check=True)
        files = sorted(pathlib.Path(folder).glob("*.onnx"))
        if not files:
            failures.append("the writer wrote nothing")
        for path in files:
            wrong = check(path)
            if wrong:
                failures.append(f"{path.stem}: {wrong}")
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

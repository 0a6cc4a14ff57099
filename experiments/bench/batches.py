"""The batches that a benchmark of training writes for PyTorch."""

import json

import numpy as np
import torch


def read_batches(path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)

    def read(name):
        begin, end = header[name]["data_offsets"]
        return torch.from_numpy(np.frombuffer(
            data[8 + size + begin:8 + size + end],
            np.int64).reshape(header[name]["shape"]).copy())

    return [(read(f"input.{i}"), read(f"labels.{i}"))
            for i in range(len(header) // 2)]

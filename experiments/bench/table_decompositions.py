#!/usr/bin/env python3
"""How well a trained token table and stacked heads survive decompositions.

Reads student.safetensors files and prints, at equal numbers of parameters, the
relative error |A - A'| / |A| of
  rounding  symmetric codes with a scale for each row
  SVD       the product of two matrices (Eckart & Young 1936), mean row apart
  TT        tensor-train by TT-SVD (Oseledets 2011, algorithm 1) of the table
            [v1 v2 v3, d1 d2 d3] seen as [v1 d1, v2 d2, v3 d3] (Hrinchuk et al.
            2020), rows as they come and shuffled
  Tucker    HOSVD (De Lathauwer et al. 2000) of queries, keys and values
            [heads, head dimension, d_model]
Before that it checks the decompositions: exact at full rank, and an error
between that of the best matrices of the same ranks and the bound
sqrt(sum eps_k^2). Needs numpy. Deterministic.
"""
import argparse
import json
import math
import pathlib

import numpy as np


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(
            data[8 + size + begin:8 + size + end],
            np.float32).reshape(entry["shape"]).astype(np.float64)
    return tensors


def relative(exact, approximate):
    return np.linalg.norm(exact - approximate) / np.linalg.norm(exact)


def tail(matrix, rank):
    """The least Frobenius error of any matrix of this rank."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(np.sqrt(np.sum(values[rank:] ** 2)))


def tensor_train(tensor, rank):
    """TT-SVD: cores [r, n, r'] of at most this rank, and each step's error."""
    cores, errors, left = [], [], 1
    rest = tensor
    for size in tensor.shape[:-1]:
        rest = rest.reshape(left * size, -1)
        u, values, v = np.linalg.svd(rest, full_matrices=False)
        kept = min(rank, len(values))
        errors.append(float(np.sqrt(np.sum(values[kept:] ** 2))))
        cores.append(u[:, :kept].reshape(left, size, kept))
        rest = values[:kept, None] * v[:kept]
        left = kept
    cores.append(rest.reshape(left, tensor.shape[-1], 1))
    return cores, errors


def from_cores(cores):
    result = cores[0]
    for core in cores[1:]:
        result = np.tensordot(result, core, axes=1)
    return result.squeeze((0, -1))


def count(arrays):
    return sum(array.size for array in arrays)


def unfold(tensor, mode):
    return np.moveaxis(tensor, mode, 0).reshape(tensor.shape[mode], -1)


def tucker(tensor, ranks):
    """HOSVD: core, one factor for each mode, and each mode's error."""
    factors, errors, core = [], [], tensor
    for mode, rank in enumerate(ranks):
        u, values, _ = np.linalg.svd(unfold(tensor, mode), full_matrices=False)
        factors.append(u[:, :rank])
        errors.append(float(np.sqrt(np.sum(values[rank:] ** 2))))
        core = np.moveaxis(
            np.tensordot(factors[-1].T, core, axes=(1, mode)), 0, mode)
    return core, factors, errors


def from_tucker(core, factors):
    for mode, factor in enumerate(factors):
        core = np.moveaxis(np.tensordot(factor, core, axes=(1, mode)), 0, mode)
    return core


def check():
    rng = np.random.default_rng(0)
    tensor = rng.standard_normal((12, 10, 9))
    full, errors = tensor_train(tensor, 10 ** 6)
    assert relative(tensor, from_cores(full)) < 1e-12 and max(errors) < 1e-9
    core, factors, _ = tucker(tensor, tensor.shape)
    assert relative(tensor, from_tucker(core, factors)) < 1e-12
    for rank in (1, 3, 7):
        cores, errors = tensor_train(tensor, rank)
        error = np.linalg.norm(tensor - from_cores(cores))
        assert error <= math.hypot(*errors) * (1 + 1e-9)
        # No matrix of this rank is nearer to either unfolding.
        for rows in (12, 120):
            assert error >= tail(tensor.reshape(rows, -1), rank) * (1 - 1e-9)
        core, factors, errors = tucker(tensor, (rank,) * 3)
        error = np.linalg.norm(tensor - from_tucker(core, factors))
        assert error <= math.hypot(*errors) * (1 + 1e-9)
        assert error >= max(tail(unfold(tensor, mode), rank)
                            for mode in range(3)) * (1 - 1e-9)
    # Of two modes, TT is the matrix decomposition.
    matrix = rng.standard_normal((30, 20))
    cores, _ = tensor_train(matrix, 5)
    assert abs(np.linalg.norm(matrix - from_cores(cores)) -
               tail(matrix, 5)) < 1e-9


def three_factors(number):
    """The most even a * b * c = number, for the columns of a table."""
    best = None
    for a in range(1, number + 1):
        if number % a:
            continue
        for b in range(a, number // a + 1):
            if (number // a) % b == 0 and number // a // b >= b:
                best = (a, b, number // a // b)
    return best


class TrainOfTable:
    """TT of a table whose rows are filled up with zeros to v1 v2 v3."""

    def __init__(self, table):
        self.table = table
        rows, columns = table.shape
        side = math.ceil(rows ** (1 / 3))
        self.v = (side, side, math.ceil(rows / side / side))
        self.d = three_factors(columns)
        filled = np.zeros((math.prod(self.v), columns))
        filled[:rows] = table
        self.tensor = (filled.reshape(self.v + self.d)
                       .transpose(0, 3, 1, 4, 2, 5)
                       .reshape([v * d for v, d in zip(self.v, self.d)]))

    def rebuilt(self, cores):
        sizes = [n for pair in zip(self.v, self.d) for n in pair]
        return (from_cores(cores).reshape(sizes)
                .transpose(0, 2, 4, 1, 3, 5)
                .reshape(-1, self.table.shape[1])[:len(self.table)])

    def at(self, parameters):
        """The largest rank within the budget: rank, parameters, error."""
        best = None
        sizes = self.tensor.shape
        for rank in range(1, max(sizes) * max(sizes)):
            first = min(rank, sizes[0])
            second = min(rank, first * sizes[1], sizes[2])
            used = (sizes[0] * first + first * sizes[1] * second +
                    second * sizes[2])
            if used > parameters or (best and used == best[1]):
                break
            best = (rank, used)
        cores, errors = tensor_train(self.tensor, best[0])
        assert count(cores) == best[1]
        error = relative(self.table, self.rebuilt(cores))
        bound = math.hypot(*errors) / np.linalg.norm(self.table)
        assert error <= bound * (1 + 1e-9)
        return best[0], best[1], error


def svd_at(table, parameters):
    mean = table.mean(axis=0)
    u, values, v = np.linalg.svd(table - mean, full_matrices=False)
    rows, columns = table.shape
    rank = max(1, (parameters - columns) // (rows + columns))
    near = u[:, :rank] * values[:rank] @ v[:rank] + mean
    return rank, rank * (rows + columns) + columns, relative(table, near)


def rounded(table, bits):
    """Codes of a row nearest in squares over 30 clips of its largest."""
    levels = (np.arange(-127, 128) if bits == 8 else
              np.arange(-8, 8) if bits == 4 else np.array([-3, -1, 1, 3]))
    edges = (levels[1:] + levels[:-1]) / 2
    largest = np.abs(table).max(axis=1, keepdims=True)
    best = np.full(table.shape[0], np.inf)
    near = np.zeros_like(table)
    for clip in ([1.0] if bits == 8 else np.linspace(0.3, 1, 30)):
        scale = np.maximum(clip * largest / levels[-1], 1e-12)
        tried = levels[np.digitize(table / scale, edges)] * scale
        error = ((tried - table) ** 2).sum(axis=1)
        better = error < best
        best[better] = error[better]
        near[better] = tried[better]
    return relative(table, near)


def report_table(table):
    rows, columns = table.shape
    print(f"Table {rows} x {columns}, {table.size} parameters\n")
    print("| as | bytes / f32 | relative error |\n|---|---|---|")
    for bits in (8, 4, 2):
        share = (rows * columns * bits / 8 + 4 * rows) / (4 * table.size)
        print(f"| rounding, {bits} bits | {share:.3f} | "
              f"{rounded(table, bits):.3f} |")
    print("\n| parameters / full | SVD rank | error | TT rank | error | "
          "TT, rows shuffled |\n|---|---|---|---|---|---|")
    train = TrainOfTable(table)
    shuffled = TrainOfTable(np.random.default_rng(1).permutation(table))
    for share in (2, 4, 8, 16):
        budget = table.size // share
        rank, _, error = svd_at(table, budget)
        tt_rank, _, tt_error = train.at(budget)
        _, _, other = shuffled.at(budget)
        print(f"| 1/{share} | {rank} | {error:.3f} | {tt_rank} | "
              f"{tt_error:.3f} | {other:.3f} |")
    print()


def tucker_at(tensor, parameters):
    """The ranks within the budget with the least error."""
    bases, energies = [], []
    for mode in range(3):
        u, _, _ = np.linalg.svd(unfold(tensor, mode), full_matrices=False)
        bases.append(u)
    whole, _, _ = tucker(tensor, tensor.shape)
    energies = whole ** 2
    sums = energies.cumsum(0).cumsum(1).cumsum(2)
    best = (-1.0, None)
    for a in range(1, tensor.shape[0] + 1):
        for b in range(1, tensor.shape[1] + 1):
            for c in range(1, tensor.shape[2] + 1):
                used = (a * b * c + a * tensor.shape[0] +
                        b * tensor.shape[1] + c * tensor.shape[2])
                if used <= parameters and sums[a - 1, b - 1, c - 1] > best[0]:
                    best = (sums[a - 1, b - 1, c - 1], (a, b, c))
    core, factors, _ = tucker(tensor, best[1])
    return best[1], relative(tensor, from_tucker(core, factors))


def report_heads(tensors, heads):
    print("| heads | parameters / full | SVD rank | error | Tucker ranks | "
          "error |\n|---|---|---|---|---|---|")
    for name in sorted(tensors):
        if not name.endswith((".query.weight", ".key.weight",
                              ".value.weight")):
            continue
        matrix = tensors[name]
        tensor = matrix.reshape(heads, -1, matrix.shape[1])
        for share in (2, 4):
            budget = matrix.size // share
            rank = max(1, budget // sum(matrix.shape))
            error = tail(matrix, rank) / np.linalg.norm(matrix)
            ranks, tucker_error = tucker_at(tensor, budget)
            print(f"| {name.removesuffix('.weight')} | 1/{share} | {rank} | "
                  f"{error:.3f} | {ranks} | {tucker_error:.3f} |")
    print()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="+", help="student.safetensors")
    parser.add_argument("--heads", type=int, default=4)
    args = parser.parse_args()
    check()
    for path in args.file:
        tensors = read_safetensors(path)
        report_table(tensors["embedding.weight"])
        report_heads(tensors, args.heads)


if __name__ == "__main__":
    main()

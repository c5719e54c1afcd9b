"""The five matrix products of a training step, by NumPy's BLAS.

python benches/peers/numpy_products.py [--threads 1] [--seed 1] [--sizes 1024 768 6144] [--quick]
"""

import argparse
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--sizes", type=int, nargs=3, default=[1024, 768, 6144], metavar=("BATCH", "INPUTS", "UNITS"))
parser.add_argument("--quick", action="store_true")
options = parser.parse_args()
for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = str(options.threads)  # read when NumPy is loaded

import numpy as np  # noqa: E402

batch, inputs, units = options.sizes
random = np.random.default_rng(options.seed)


def matrix(rows, cols):
    return random.standard_normal((rows, cols), dtype=np.float32)


x, w1, w2, gy, h = matrix(batch, inputs), matrix(inputs, units), matrix(units, inputs), matrix(batch, inputs), matrix(batch, units)
products = {
    "z = x W1": lambda: x @ w1,
    "y = h W2": lambda: h @ w2,
    "gW2 = hT gy": lambda: h.T @ gy,
    "gh = gy W2T": lambda: gy @ w2.T,
    "gW1 = xT gz": lambda: x.T @ h,
}
rounds = 1 if options.quick else 8
print(f"NumPy {np.__version__}, {options.threads} thread(s), {batch} x {inputs}-{units}-{inputs}, best of {rounds}")
best = dict.fromkeys(products, float("inf"))
whole = float("inf")
for _ in range(rounds):
    start = time.perf_counter()
    for name, product in products.items():
        begun = time.perf_counter()
        product()
        best[name] = min(best[name], time.perf_counter() - begun)
    whole = min(whole, time.perf_counter() - start)
for name, seconds in best.items():
    print(f"{name:12} {1e3 * seconds:8.2f} ms")
print(f"all five     {1e3 * whole:8.2f} ms")

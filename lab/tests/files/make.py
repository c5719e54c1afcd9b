"""Writes the files of this folder by NumPy, pandas, safetensors and scikit-learn: `python3 make.py` beside it.

numpy 2.4, pandas 3.1, safetensors 0.8, scikit-learn 1.9. tests/ knows what is in each of them.
"""

import gzip
import os
import struct

import numpy as np
import pandas as pd
from numpy.lib import format as npy
from safetensors.numpy import save_file
from sklearn.datasets import make_blobs, make_circles, make_moons

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def array(name, x, version=None):
    with open(name + ".npy", "wb") as f:
        npy.write_array(f, x, version=version)


# 2 x 3 x 4, the element number i is i - 5; every kind of number, both orders of bytes and of axes.
whole = np.arange(24).reshape(2, 3, 4) - 5
for kind in ["i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
    array(f"little_{kind}", whole.astype("<" + kind))
    array(f"big_{kind}", whole.astype(">" + kind))
for kind in ["u1", "u2", "u4", "u8"]:
    array(f"little_{kind}", (whole + 5).astype("<" + kind))
    array(f"big_{kind}", (whole + 5).astype(">" + kind))
array("bool", whole % 2 == 0)
array("fortran", np.asfortranarray(whole.astype("f8")))
array("fortran_big", np.asfortranarray(whole.astype(">f4")))
array("version_1", whole.astype("f4"), (1, 0))
array("version_2", whole.astype("f4"), (2, 0))
array("version_3", whole.astype("f4"), (3, 0))
array("scalar", np.float64(2.5) * np.ones(()))
array("empty", np.zeros((3, 0, 2), "f4"))
array("one_axis", np.array([0.1, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308]))
array("halves", np.array([1.0, 65504.0, 6e-8, 6.104e-5, -0.0, np.inf], "f2"))
array("beyond_f32", np.array([1.0, 1e39]))
array("odd_label", np.array([2**53 + 1]))
array("records", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
array("complex", np.array([1 + 2j]))
array("text", np.array(["a", "bc"]))

np.savez("several.npz", x=whole.astype("f4"), y=np.arange(3), scalar=np.float64(1.5))
np.savez_compressed("packed.npz", codes=np.eye(20, dtype="f4"), fortran=np.asfortranarray(whole.astype("f8")))

save_file(
    {
        "f16": np.array([[1.0, -2.5], [65504.0, 6e-8]], "f2"),
        "f32": np.array([0.1, 1e-40, -0.0], "f4"),
        "f64": np.array(0.1),
        "i64": np.array([-1, 2**53 + 1]),
        "u8": np.arange(4, dtype="u1").reshape(2, 2),
        "bool": np.array([True, False]),
        "empty": np.zeros((0, 7), "f4"),
    },
    "kinds.safetensors",
    {"format": "np", "note": "by Python"},
)


def idx(name, x, code):
    with open(name, "wb") as f:
        f.write(bytes([0, 0, code, x.ndim]) + struct.pack(f">{x.ndim}I", *x.shape) + x.tobytes())


idx("images-idx3-ubyte", np.arange(18, dtype="u1").reshape(3, 2, 3), 0x08)
idx("floats-idx1", np.array([0.5, -2.0], ">f4"), 0x0D)
idx("shorts-idx2", np.array([[1, -2], [300, -301]], ">i2"), 0x0B)
with gzip.GzipFile("images-idx3-ubyte.gz", "wb", mtime=0) as f:
    f.write(open("images-idx3-ubyte", "rb").read())

rng = np.random.RandomState(0)
table = pd.DataFrame(rng.standard_normal((5, 2)), columns=["wide, quoted", 'with "marks"'])
table.to_csv("pandas.csv", index=False)
np.save("pandas.npy", table.to_numpy())
table.iloc[1, 0] = np.nan
table["kind"] = ["b", "a", "two\nlines", "b", "a, too"]
table.to_csv("pandas_words.csv", index=False, lineterminator="\r\n", encoding="utf-8-sig")
table[["kind"]].assign(x=[1.5, 2, 3, 4, -5e-7]).to_csv("decimal_comma.csv", index=False, sep=";", decimal=",")
np.savetxt("savetxt.csv", rng.standard_normal((3, 4)), delimiter=",", fmt="%.17g")

toys = {}
for noise, seed, n in [(0.1, 1, 100), (0.2, 1, 100), (0.05, 3, 7), (None, 5, 10)]:
    name = f"circles/{noise}/{seed}/{n}"
    toys[name + "/x"], toys[name + "/y"] = make_circles(n_samples=n, noise=noise, random_state=seed)
    name = f"moons/{noise}/{seed}/{n}"
    toys[name + "/x"], toys[name + "/y"] = make_moons(n_samples=n, noise=noise, random_state=seed)
    name = f"blobs/{noise}/{seed}/{n}"
    toys[name + "/x"], toys[name + "/y"] = make_blobs(n_samples=n, centers=4, n_features=3, random_state=seed)
for seed in [0, 1, 2**32 - 1]:
    stream = np.random.RandomState(seed)
    name = f"stream/{seed}"
    toys[name + "/bits"] = stream.randint(0, 2**32, 700, dtype="u4").astype("i8")
    toys[name + "/unit"] = stream.random_sample(700)
    toys[name + "/normal"] = stream.standard_normal(701)
    toys[name + "/uniform"] = stream.uniform(-10.0, 10.0, 9)
    toys[name + "/permutation"] = stream.permutation(1000)
save_file({name: np.ascontiguousarray(x) for name, x in toys.items()}, "toys.safetensors")

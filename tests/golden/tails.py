"""Values, slopes and second derivatives of every elementwise function at both ends, for tests/ops/tails.rs.

    pip install mpmath numpy && python tests/golden/tails.py

writes tails.safetensors beside it, in a few minutes. Each formula is written down plainly and run on numbers of 800 digits
that carry their first and second derivatives along, so that nothing cancels: e^-708 beside 1 has 490 digits left.

    unary/<f32|f64>/x                     the arguments, of all functions
    unary/<f32|f64>/<name arguments>      [3, arguments]: f, f', f''
    binary/<f32|f64>/<name arguments>     [8, pairs]: a, b, f, df/da, df/db, d2f/da2, d2f/dadb, d2f/db2

A number outside the domain, or where a derivative does not exist, is NaN.
"""

import json
import os
import struct

import numpy as np
from mpmath import mp, mpf

mp.dps = 800
ZERO, ONE = mpf(0), mpf(1)


class Jet:
    """f, its gradient by (a, b), and its second derivatives by aa, ab, bb."""

    def __init__(self, value, first=(ZERO, ZERO), second=(ZERO, ZERO, ZERO)):
        self.value, self.first, self.second = mpf(value), first, second

    def of(self, value, slope, bend):
        """A function of this, given its value, slope and second derivative here."""
        (a, b), (aa, ab, bb) = self.first, self.second
        second = (bend * a * a + slope * aa, bend * a * b + slope * ab, bend * b * b + slope * bb)
        return Jet(value, (slope * a, slope * b), second)

    def __add__(self, other):
        other = jet(other)
        plus = lambda x, y: tuple(p + q for p, q in zip(x, y))
        return Jet(self.value + other.value, plus(self.first, other.first), plus(self.second, other.second))

    def __mul__(self, other):
        x, y = self, jet(other)
        (xa, xb), (ya, yb), (u, v) = x.first, y.first, (x.value, y.value)
        second = (
            x.second[0] * v + 2 * xa * ya + u * y.second[0],
            x.second[1] * v + xa * yb + xb * ya + u * y.second[1],
            x.second[2] * v + 2 * xb * yb + u * y.second[2],
        )
        return Jet(u * v, (xa * v + u * ya, xb * v + u * yb), second)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -jet(other)

    def __rsub__(self, other):
        return jet(other) - self

    def recip(self):
        y = ONE / self.value
        return self.of(y, -y * y, 2 * y * y * y)

    def __truediv__(self, other):
        return self * jet(other).recip()

    def __rtruediv__(self, other):
        return self.recip() * other

    __radd__, __rmul__ = __add__, __mul__


def jet(x):
    return x if isinstance(x, Jet) else Jet(x)


def exp(x):
    y = mp.exp(x.value) if x.value > -4000 else ZERO
    return x.of(y, y, y)


def ln(x):
    if x.value <= 0:
        raise ValueError("outside the domain")
    return x.of(mp.log(x.value), 1 / x.value, -1 / x.value**2)


def power(x, e):
    """A constant power."""
    e, v = mpf(e), x.value
    whole = e == mp.floor(e)
    if v < 0 and not whole:
        raise ValueError("outside the domain")

    def raised(c, e):
        return ZERO if c == 0 else c * (v ** int(e) if whole else v**e)

    return x.of(raised(ONE, e), raised(e, e - 1), raised(e * (e - 1), e - 2))


def size(x):
    return x if x.value > 0 else -x if x.value < 0 else Jet(0)


def sign(x):
    return Jet((x.value > 0) - (x.value < 0))


def sin(x):
    s, c = mp.sin(x.value), mp.cos(x.value)
    return x.of(s, c, -s)


def cos(x):
    s, c = mp.sin(x.value), mp.cos(x.value)
    return x.of(c, -s, -c)


def erf(x):
    slope = 2 / mp.sqrt(mp.pi) * (mp.exp(-x.value**2) if abs(x.value) < 60 else ZERO)
    return x.of(mp.erf(x.value) if abs(x.value) < 60 else mp.sign(x.value), slope, -2 * x.value * slope)


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x.value > 0 else exp(x) / (1 + exp(x))


def tanh(x):
    y = (1 - exp(-2 * size_of(x))) / (1 + exp(-2 * size_of(x)))
    return y if x.value > 0 else -y


def size_of(x):
    """|x| for use in functions that are smooth at 0."""
    return x if x.value > 0 else -x


def softplus(x):
    return ln(1 + exp(-x)) + x if x.value > 0 else ln(1 + exp(x))


def mish(x):
    t = softplus(x)
    return x * tanh(t)


def gelu_tanh(x):
    return x * sigmoid(2 * (mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x * x * x)))


SCALE = mpf("1.0507009873554804934193349852946")
ALPHA = mpf("1.6732632423543772848170429916717")

UNARY = {
    "neg": lambda x: -x,
    "exp": exp,
    "expm1": lambda x: exp(x) - 1,
    "log": ln,
    "log1p": lambda x: ln(1 + x),
    "sqrt": lambda x: power(x, 0.5),
    "rsqrt": lambda x: power(x, -0.5),
    "recip": lambda x: 1 / x,
    "abs": size,
    "sign": sign,
    "square": lambda x: x * x,
    "powf": power,
    "scale": lambda x, c: x * c,
    "div_by": lambda x, c: x / c,
    "div_into": lambda x, c: c / x,
    "shift": lambda x, c: x + c,
    "relu": lambda x: x if x.value > 0 else Jet(0),
    "leaky_relu": lambda x, slope: x if x.value > 0 else slope * x,
    "elu": lambda x, alpha: x if x.value > 0 else alpha * (exp(x) - 1),
    "selu": lambda x: SCALE * x if x.value > 0 else SCALE * ALPHA * (exp(x) - 1),
    "gelu": lambda x: x * (1 + erf(x * mp.sqrt(mpf(0.5)))) * mpf(0.5),
    "gelu_tanh": gelu_tanh,
    "silu": lambda x: x * sigmoid(x),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "sin": sin,
    "cos": cos,
    "mish": mish,
    "softsign": lambda x: x / (1 + size(x)),
    "log_sigmoid": lambda x: -softplus(-x),
    "erf": erf,
    "clamp": lambda x, lo, hi: Jet(lo) if x.value < lo else Jet(hi) if x.value > hi else x,
    "hardtanh": lambda x: x if abs(x.value) < 1 else sign(x),
    "abs_powf": lambda x, e: x * x if e == 2 else power(size(x), e),
    "log1p_square": lambda x, s: ln(1 + x * x / s),
    "soft_threshold": lambda x, l: x - l if x.value > l else x + l if x.value < -l else Jet(0),
}


def pow_(a, b):
    """a to the b; by b only where a is positive."""
    if a.value > 0:
        return exp_of_any(b * ln(a))
    y = power(Jet(a.value, (ONE, ZERO)), b.value)
    nan = mp.nan
    return Jet(y.value, (y.first[0], nan), (y.second[0], nan, nan))


def exp_of_any(x):
    y = mp.exp(x.value)
    return x.of(y, y, y)


def maximum(a, b):
    return a if a.value > b.value else b if b.value > a.value else (a + b) * mpf(0.5)


def huber(a, b, delta):
    d = size_of(a - b)
    return d * d * mpf(0.5) if d.value <= delta else delta * (d - mpf(0.5) * delta)


BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": pow_,
    "maximum": maximum,
    "minimum": lambda a, b: -maximum(-a, -b),
    "squared_error": lambda a, b: (a - b) * (a - b),
    "absolute_error": lambda a, b: size(a - b),
    "huber": huber,
    "bce_with_logits": lambda z, t: softplus(z) - z * t,
    "kl_div": lambda z, t: t * (ln(t) - z),
    "kl_div_log": lambda z, t: exp(t) * (t - z),
}

# The parameters of the table's own lines come first; tests/ops/tails.rs asks for each of them.
PARAMETERS = {
    "powf": [[2.5], [0.0], [1.0], [2.0], [3.0], [-1.0], [-2.0], [0.5], [-0.5], [0.1]],
    "scale": [[-1.5]],
    "div_by": [[3.0], [49.0], [1e-10]],
    "div_into": [[-1.5], [1e20]],
    "shift": [[0.7]],
    "leaky_relu": [[0.1]],
    "elu": [[0.8], [1.0]],
    "clamp": [[-1.0, 0.5]],
    "abs_powf": [[2.5], [0.5], [1.0], [1.5], [2.0], [3.0]],
    "log1p_square": [[0.7], [1e-4]],
    "soft_threshold": [[0.5]],
    "huber": [[0.8]],
}

BODY = [0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.62, 0.63, 0.7, 0.8, 0.9, 0.99, 1.0, 1.01, 1.1, 1.25, 1.5, 1.75]
BODY += [2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9, 10, 11, 12, 12.5, 13, 13.04, 14, 16, 17, 18, 20, 25, 30, 37, 38, 40, 43.6, 44, 50, 60]
BODY += [70, 80, 86, 87, 87.3, 88, 88.7, 90, 91, 91.8, 95, 100, 103, 120]
SINGLE = [1.2e-38, 1e-37, 1e-30, 1e-25, 1e-20, 1e-15, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4]
SINGLE += BODY + [1e3, 1e4, 1e5, 1e7, 1e10, 1e15, 1e19, 1e20, 1e25, 1e30, 1e37, 3.3e38]
DOUBLE = [2.3e-308, 1e-300, 1e-200, 1e-160, 1e-100, 1e-30, 1e-20, 1e-16, 1e-10, 1e-8, 1e-6, 1e-4]
DOUBLE += BODY + [200, 354, 354.3, 360, 500, 700, 708, 709, 714, 720, 745, 800, 1e4, 1e6, 1e8, 1e10, 1e15, 1e20]
DOUBLE += [1e100, 1e153, 1e160, 1e200, 1e300, 1.7e308]


def pairs(name, t):
    small, large = (1e-30, 1e30) if t is np.float32 else (1e-250, 1e250)
    edge = [86, 88, 91] if t is np.float32 else [700, 709, 714]
    ladder = [small, 1e-10, 0.1, 0.75, 1.0, 2.0, 7.5, 1e10, large]
    both = [-x for x in ladder] + ladder
    if name == "pow":
        exponents = [-3.0, -2.0, -1.0, -0.5, 1e-3, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0]
        return [(a, b) for a in both + [0.0] for b in exponents]
    if name == "bce_with_logits":
        logits = [small, 1e-5, 0.3, 1, 5, 16, 17, 18, 30, 36, 38, 40, 60, 80, 1e3, 1e10] + edge
        return [(z, t) for z in [-x for x in logits] + logits for t in [0.0, 1e-10, 0.3, 0.5, 0.9, 1.0]]
    if name == "kl_div":
        return [(-z, t) for z in [0.0, *ladder] for t in [small, 1e-10, 0.01, 0.3, 0.5, 0.99, 1.0, 3.0]]
    if name == "kl_div_log":
        return [(-z, -t) for z in [0.0, *ladder] for t in [small, 1e-10, 0.01, 0.5, 3.0, 20.0, 80.0, *edge]]
    return [(a, b) for a in both for b in ladder + [-0.1, -2.5]]


def evaluate(f, inputs, parameters):
    try:
        y = f(*inputs, *parameters)
    except (ValueError, ZeroDivisionError):
        return [np.nan] * (6 if len(inputs) == 2 else 3)
    second = y.second if len(inputs) == 2 else y.second[:1]
    first = y.first if len(inputs) == 2 else y.first[:1]
    return [float(x) if abs(x) < mpf(10) ** 308 or mp.isnan(x) else np.inf for x in (y.value, *first, *second)]


def write(path, arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        kind = {"float32": "F32", "float64": "F64"}[array.dtype.name]
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def main():
    arrays = {}
    with np.errstate(over="ignore", under="ignore"):
        for t, ladder in [(np.float32, SINGLE), (np.float64, DOUBLE)]:
            kind = "f32" if t is np.float32 else "f64"
            x = np.array([-v for v in ladder[::-1]] + [0.0] + ladder, dtype=t)
            arrays[f"unary/{kind}/x"] = x
            rounded = lambda parameters: [mpf(float(t(p))) for p in parameters]
            for name, f in UNARY.items():
                for parameters in PARAMETERS.get(name, [[]]):
                    key = " ".join([name, *(f"{p:.17g}" for p in parameters)])
                    columns = [evaluate(f, [Jet(float(v), (ONE, ZERO))], rounded(parameters)) for v in x]
                    arrays[f"unary/{kind}/{key}"] = np.array(columns).T.astype(t).copy()
            for name, f in BINARY.items():
                for parameters in PARAMETERS.get(name, [[]]):
                    key = " ".join([name, *(f"{p:.17g}" for p in parameters)])
                    rows = []
                    for a, b in pairs(name, t):
                        a, b = float(t(a)), float(t(b))
                        inputs = [Jet(a, (ONE, ZERO)), Jet(b, (ZERO, ONE))]
                        rows.append([a, b, *evaluate(f, inputs, rounded(parameters))])
                    arrays[f"binary/{kind}/{key}"] = np.array(rows).T.astype(t).copy()
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tails.safetensors"), arrays)


main()

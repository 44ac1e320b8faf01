"""Makes the pairs of model files that the benchmark of differences is run over: corpus.py DIRECTORY

Every pair is a model that was really trained and then really trained on, warm, with rows it had not seen. The data ship with
the packages of corpus.txt: the digits of scikit-learn, the RAND health insurance experiment of statsmodels, the text of
Python's own manual. Nothing is downloaded but the packages. How a model is trained on was fixed before anything was measured:

    adam-3   Adam, a tenth of the first learning rate (1e-4), three passes over old and new rows
    adam-1   Adam, a hundredth (1e-5), one pass
    sgd-3    plain gradient descent (1e-3), three passes

and for trees: more trees on old and new rows, or the same trees with new leaves. DIRECTORY gets a folder a pair with old.* and
new.* and pairs.json, which says what each is. Seeds are fixed, but thread counts and processors change last bits.
"""

import json
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OPENVINO_TELEMETRY_OPT_OUT", "1")

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = sys.argv[1]
PAIRS = []
REGIMES = {"adam-3": ("adam", 1e-4, 3), "adam-1": ("adam", 1e-5, 1), "sgd-3": ("sgd", 1e-3, 3)}


def pair(name, family, kind, how, old, new):
    """Writes a pair; old and new are {extension: bytes}."""
    d = os.path.join(OUT, name)
    os.makedirs(d, exist_ok=True)
    for which, files in (("old", old), ("new", new)):
        for ext, b in files.items():
            with open(os.path.join(d, which + "." + ext), "wb") as f:
                f.write(b)
    PAIRS.append({"name": name, "family": family, "kind": kind, "how": how, "files": sorted(new)})
    print(name, sum(map(len, new.values())), flush=True)


# Training.


def batches(n, size, rng):
    order = rng.permutation(n)
    for i in range(0, n - size + 1, size):
        yield order[i : i + size]


def fit(params, loss, data, optimiser, rate, epochs, size, seed):
    """Trains params on data, a tuple of arrays of equally many rows."""
    rng = np.random.default_rng(seed)
    value = jax.value_and_grad(loss)
    zeros = jax.tree_util.tree_map(jnp.zeros_like, params)

    @jax.jit
    def step(p, m, v, t, *batch):
        l, g = value(p, *batch)
        if optimiser == "sgd":
            return jax.tree_util.tree_map(lambda w, g: w - rate * g, p, g), m, v, l
        m = jax.tree_util.tree_map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree_util.tree_map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        p = jax.tree_util.tree_map(
            lambda w, m, v: w - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v)
        return p, m, v, l

    m, v, t = zeros, zeros, 0
    for _ in range(epochs):
        for rows in batches(len(data[0]), size, rng):
            t += 1
            params, m, v, l = step(params, m, v, float(t), *(d[rows] for d in data))
    print("   ", optimiser, rate, t, "steps, loss", float(l), flush=True)
    return params


def normal(rng, shape, fan):
    return jnp.asarray(rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float32))


# The convolutional network: digits of 8 by 8.


def cnn_init(rng):
    return {
        "conv1.weight": normal(rng, (64, 1, 3, 3), 9), "conv1.bias": jnp.zeros(64),
        "conv2.weight": normal(rng, (128, 64, 3, 3), 576), "conv2.bias": jnp.zeros(128),
        "conv3.weight": normal(rng, (128, 128, 3, 3), 1152), "conv3.bias": jnp.zeros(128),
        "fc1.weight": normal(rng, (512, 256), 512), "fc1.bias": jnp.zeros(256),
        "fc2.weight": normal(rng, (256, 10), 256), "fc2.bias": jnp.zeros(10),
    }


def cnn(p, x):
    def conv(x, n):
        y = jax.lax.conv_general_dilated(x, p[n + ".weight"], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
        return jax.nn.relu(y + p[n + ".bias"][None, :, None, None])

    def pool(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    x = pool(conv(conv(x, "conv1"), "conv2"))
    x = pool(conv(x, "conv3")).reshape(x.shape[0], -1)
    return jax.nn.relu(x @ p["fc1.weight"] + p["fc1.bias"]) @ p["fc2.weight"] + p["fc2.bias"]


def cnn_onnx(p):
    n = []
    for i, x in (("conv1", "x"), ("conv2", "conv1.out"), ("conv3", "pool2")):
        n.append(helper.make_node("Conv", [x, i + ".weight", i + ".bias"], [i + ".pre"], i, pads=[1, 1, 1, 1], kernel_shape=[3, 3]))
        n.append(helper.make_node("Relu", [i + ".pre"], [i + ".out"], i + ".relu"))
        if i != "conv1":
            n.append(helper.make_node("MaxPool", [i + ".out"], ["pool" + i[-1]], i + ".pool", kernel_shape=[2, 2], strides=[2, 2]))
    n += [helper.make_node("Flatten", ["pool3"], ["flat"], "flatten"),
          helper.make_node("Gemm", ["flat", "fc1.weight", "fc1.bias"], ["fc1.pre"], "fc1"),
          helper.make_node("Relu", ["fc1.pre"], ["fc1.out"], "fc1.relu"),
          helper.make_node("Gemm", ["fc1.out", "fc2.weight", "fc2.bias"], ["logits"], "fc2")]
    return model(n, p, [("x", TensorProto.FLOAT, ["n", 1, 8, 8])], [("logits", TensorProto.FLOAT, ["n", 10])])


# The transformer: the next character of a text.

LAYERS, WIDTH, HEADS, CONTEXT = 4, 128, 4, 64


def transformer_init(rng, words):
    p = {"embed": jnp.asarray(rng.normal(0, 0.02, (words, WIDTH)).astype(np.float32)),
         "position": jnp.asarray(rng.normal(0, 0.02, (CONTEXT, WIDTH)).astype(np.float32)),
         "norm.scale": jnp.ones(WIDTH), "norm.bias": jnp.zeros(WIDTH),
         "head.weight": normal(rng, (WIDTH, words), 2 * WIDTH), "head.bias": jnp.zeros(words)}
    for i in range(LAYERS):
        for k, (a, b) in {"q": (1, 1), "k": (1, 1), "v": (1, 1), "o": (1, 1), "up": (1, 4), "down": (4, 1)}.items():
            p[f"layer{i}.{k}.weight"] = normal(rng, (a * WIDTH, b * WIDTH), 2 * a * WIDTH)
            p[f"layer{i}.{k}.bias"] = jnp.zeros(b * WIDTH)
        for k in ("norm1", "norm2"):
            p[f"layer{i}.{k}.scale"], p[f"layer{i}.{k}.bias"] = jnp.ones(WIDTH), jnp.zeros(WIDTH)
    return p


def transformer(p, ids):
    def norm(x, n):
        m = x.mean(-1, keepdims=True)
        return (x - m) / jnp.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-5) * p[n + ".scale"] + p[n + ".bias"]

    def dense(x, n):
        return x @ p[n + ".weight"] + p[n + ".bias"]

    b, t = ids.shape
    x = p["embed"][ids] + p["position"]
    hide = jnp.triu(jnp.full((t, t), -1e4, jnp.float32), 1)
    for i in range(LAYERS):
        l = f"layer{i}"
        y = norm(x, l + ".norm1")
        q, k, v = (dense(y, f"{l}.{c}").reshape(b, t, HEADS, -1).transpose(0, 2, 1, 3) for c in "qkv")
        a = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) * (WIDTH // HEADS) ** -0.5 + hide, -1) @ v
        x = x + dense(a.transpose(0, 2, 1, 3).reshape(b, t, -1), l + ".o")
        x = x + dense(jax.nn.relu(dense(norm(x, l + ".norm2"), l + ".up")), l + ".down")
    return dense(norm(x, "norm"), "head")


def transformer_onnx(p):
    n = []

    def op(kind, ins, out, **a):
        n.append(helper.make_node(kind, ins, [out], out, **a))
        return out

    def dense(x, name, out):
        op("MatMul", [x, name + ".weight"], out + ".matmul")
        return op("Add", [out + ".matmul", name + ".bias"], out)

    def norm(x, name):
        return op("LayerNormalization", [x, name + ".scale", name + ".bias"], name, axis=-1, epsilon=1e-5)

    q = dict(p)
    q["scale"] = np.float32((WIDTH // HEADS) ** -0.5)
    q["hide"] = np.triu(np.full((CONTEXT, CONTEXT), -1e4, np.float32), 1)
    q["heads"] = np.array([0, CONTEXT, HEADS, WIDTH // HEADS], np.int64)
    q["flat"] = np.array([0, CONTEXT, WIDTH], np.int64)
    x = op("Add", [op("Gather", ["embed", "ids"], "embedded"), "position"], "x0")
    for i in range(LAYERS):
        l = f"layer{i}"
        y = norm(x, l + ".norm1")
        for c, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            op("Transpose", [op("Reshape", [dense(y, f"{l}.{c}", f"{l}.{c}"), "heads"], f"{l}.{c}.split")], f"{l}.{c}.heads", perm=perm)
        s = op("Add", [op("Mul", [op("MatMul", [f"{l}.q.heads", f"{l}.k.heads"], l + ".qk"), "scale"], l + ".scaled"), "hide"], l + ".masked")
        a = op("MatMul", [op("Softmax", [s], l + ".softmax", axis=-1), f"{l}.v.heads"], l + ".mixed")
        a = op("Reshape", [op("Transpose", [a], l + ".back", perm=[0, 2, 1, 3]), "flat"], l + ".joined")
        x = op("Add", [x, dense(a, l + ".o", l + ".o")], l + ".x1")
        h = op("Relu", [dense(norm(x, l + ".norm2"), l + ".up", l + ".up")], l + ".relu")
        x = op("Add", [x, dense(h, l + ".down", l + ".down")], l + ".x2")
    dense(norm(x, "norm"), "head", "logits")
    return model(n, q, [("ids", TensorProto.INT64, ["n", CONTEXT])], [("logits", TensorProto.FLOAT, ["n", CONTEXT, p["head.bias"].shape[0]])])


# The perceptron: visits to a doctor in the RAND health insurance experiment.


def mlp_init(rng, columns):
    p, last = {}, columns
    for i, width in enumerate((512, 512, 256, 1)):
        p[f"fc{i}.weight"], p[f"fc{i}.bias"] = normal(rng, (last, width), last), jnp.zeros(width)
        last = width
    return p


def mlp(p, x):
    for i in range(4):
        x = x @ p[f"fc{i}.weight"] + p[f"fc{i}.bias"]
        x = jax.nn.relu(x) if i < 3 else x
    return x


def mlp_onnx(p):
    n, x = [], "x"
    for i in range(4):
        n.append(helper.make_node("Gemm", [x, f"fc{i}.weight", f"fc{i}.bias"], [f"fc{i}.out" if i < 3 else "y"], f"fc{i}"))
        if i < 3:
            n.append(helper.make_node("Relu", [f"fc{i}.out"], [f"fc{i}.relu"], f"fc{i}.relu"))
        x = f"fc{i}.relu"
    return model(n, p, [("x", TensorProto.FLOAT, ["n", p["fc0.weight"].shape[0]])], [("y", TensorProto.FLOAT, ["n", 1])])


# Files.


def model(nodes, params, ins, outs):
    value = helper.make_tensor_value_info
    init = [numpy_helper.from_array(np.asarray(v), k) for k, v in params.items()]
    g = helper.make_graph(nodes, "model", [value(*i) for i in ins], [value(*o) for o in outs], init)
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="corpus")
    onnx.checker.check_model(m)
    return m


def half(m):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(m, keep_io_types=True)


def int8(m, rows):
    """8-bit weights and activations, calibrated on rows ({input: array}); transformers by weights alone, as is usual."""
    from onnxruntime import quantization as q

    src, dst = os.path.join(OUT, "tmp.onnx"), os.path.join(OUT, "tmp8.onnx")
    onnx.save(m, src)
    if "ids" in rows:
        q.quantize_dynamic(src, dst, weight_type=q.QuantType.QInt8)
    else:
        class Reader(q.CalibrationDataReader):
            def __init__(self):
                self.left = iter([rows])

            def get_next(self):
                return next(self.left, None)

        q.quantize_static(src, dst, Reader(), quant_format=q.QuantFormat.QDQ, per_channel=True,
                          activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)
    out = onnx.load(dst)
    os.remove(src), os.remove(dst)
    return out


def ir(m, compress):
    """OpenVINO's own format: what its converter makes of the ONNX model."""
    import openvino as ov

    src, dst = os.path.join(OUT, "tmp.onnx"), os.path.join(OUT, "tmp.xml")
    onnx.save(m, src)
    ov.save_model(ov.convert_model(src), dst, compress_to_fp16=compress)
    out = {}
    for ext in ("xml", "bin"):
        with open(dst[:-3] + ext, "rb") as f:
            out[ext] = f.read()
        os.remove(dst[:-3] + ext)
    os.remove(src)
    return out


def check(m, rows, want):
    """The file answers as the network that was trained."""
    import onnxruntime as ort

    got = ort.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, rows)[0]
    assert np.abs(got - np.asarray(want)).max() < 1e-2 * (1 + np.abs(want).max()), np.abs(got - np.asarray(want)).max()


def network(family, params, forward, loss, export, old, new, first, size, openvino):
    """Trains, trains on in each of the ways, and writes the pairs. first: passes and learning rate of the first training."""
    print(family, sum(int(v.size) for v in params.values()), "numbers", flush=True)
    params = fit(params, loss, old, "adam", *first, size, 1)
    inputs = {"ids" if family == "transformer" else "x": old[0][:64]}

    def files(p):
        p = {k: np.asarray(v) for k, v in p.items()}
        m = export(p)
        check(m, inputs, forward(p, old[0][:64]))
        q = int8(m, inputs)
        return {"fp32": {"onnx": m.SerializeToString()}, "fp16": {"onnx": half(export(p)).SerializeToString()}, "int8": {"onnx": q.SerializeToString()},
                "ir": lambda: {"fp32": ir(m, False), "fp16": ir(m, True), "int8": ir(q, False)}}

    base = files(params)
    base_ir = base["ir"]()
    both = tuple(np.concatenate([a, b]) for a, b in zip(old, new))
    for how, (optimiser, rate, epochs) in REGIMES.items():
        now = files(fit(params, loss, both, optimiser, rate, epochs, size, 2))
        for kind in ("fp32", "fp16", "int8"):
            pair(f"{family}-{kind}-{how}", family, kind, how, base[kind], now[kind])
        if how in openvino:
            for kind, f in now["ir"]().items():
                pair(f"ir-{family}-{kind}-{how}", "openvino " + family, kind, how, base_ir[kind], f)


def entropy(forward):
    def loss(p, x, y):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(p, x)), y[..., None], -1).mean()

    return loss


def networks():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32).reshape(-1, 1, 8, 8) / 16, y[order].astype(np.int32)
    network("cnn", cnn_init(np.random.default_rng(0)), cnn, entropy(cnn), cnn_onnx, (x[:1400], y[:1400]), (x[1400:], y[1400:]), (1e-3, 15), 32, ("adam-3", "adam-1", "sgd-3"))

    x, y = visits()
    x = (x - x.mean(0)) / x.std(0)
    x, y = x.astype(np.float32), np.log1p(y).astype(np.float32)[:, None]
    network("mlp", mlp_init(np.random.default_rng(0), x.shape[1]), mlp, lambda p, x, y: ((mlp(p, x) - y) ** 2).mean(), mlp_onnx,
            (x[:16000], y[:16000]), (x[16000:], y[16000:]), (1e-3, 5), 128, ())

    import pydoc_data.topics

    text = "\n".join(v for _, v in sorted(pydoc_data.topics.topics.items()))
    words = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = np.array([words[c] for c in text], np.int32)
    rows = len(ids) // (CONTEXT + 1)
    ids = ids[: rows * (CONTEXT + 1)].reshape(rows, CONTEXT + 1)
    old, new = ids[: rows * 3 // 4], ids[rows * 3 // 4 :]
    cut = lambda r: (r[:, :-1].astype(np.int64), r[:, 1:])
    network("transformer", transformer_init(np.random.default_rng(0), len(words)), transformer, entropy(transformer), transformer_onnx, cut(old[:4000]), cut(new[:1000]),
            (1e-3, 4), 32, ("adam-1",))


# Trees.


def visits():
    import statsmodels.api as sm

    d = sm.datasets.randhie.load_pandas()
    order = np.random.default_rng(0).permutation(len(d.endog))
    return d.exog.to_numpy()[order], d.endog.to_numpy()[order]


def trees():
    import lightgbm as lgb
    import xgboost as xgb

    x, y = visits()
    n = 16000
    p = {"objective": "regression", "num_leaves": 31, "learning_rate": 0.05, "num_threads": 2, "seed": 1, "deterministic": True, "verbose": -1}
    old = lgb.train(p, lgb.Dataset(x[:n], y[:n]), 300)
    more = lgb.train(p, lgb.Dataset(x, y), 30, init_model=old)
    leaves = old.refit(x, y, decay_rate=0.9)
    text = lambda b: {"txt": b.model_to_string().encode()}
    pair("lightgbm-more", "trees", "trees", "300 trees, 30 more", text(old), text(more))
    pair("lightgbm-leaves", "trees", "trees", "300 trees, new leaves", text(old), text(leaves))
    p = {"objective": "reg:squarederror", "max_depth": 6, "eta": 0.05, "nthread": 2, "seed": 1}
    old = xgb.train(p, xgb.DMatrix(x[:n], y[:n]), 300)
    raw = lambda b: {"ubj": bytes(b.save_raw("ubj"))}
    before = raw(old)
    more = xgb.train(p, xgb.DMatrix(x, y), 30, xgb_model=old)
    pair("xgboost-more", "trees", "trees", "300 trees, 30 more", before, raw(more))
    leaves = xgb.train(dict(p, process_type="update", updater="refresh", refresh_leaf=True), xgb.DMatrix(x, y), 300, xgb_model=old)
    pair("xgboost-leaves", "trees", "trees", "300 trees, new leaves", before, raw(leaves))


os.makedirs(OUT, exist_ok=True)
trees()
networks()
with open(os.path.join(OUT, "pairs.json"), "w") as f:
    json.dump(PAIRS, f, indent=1)

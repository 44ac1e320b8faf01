"""Trains the small CNN that the factory demonstration serves and writes it as ONNX.

Data: generated pictures of weld seams, drawn by node/demo/weld; no camera is behind them. Two thirds train, one third is
held out. Needs Go, numpy and onnx; takes about a minute.

    python3 train.py            # writes weld-cnn.onnx; prints the accuracies
"""
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
SIZE = 48
rng = np.random.default_rng(11)


def parts(seed, n, dirt=0.0, defects=0.75):
    raw = subprocess.run(["go", "run", "./packaging/weldimages", f"-seed={seed}", f"-n={n}", f"-dirt={dirt}", f"-defects={defects}"], cwd=ROOT, check=True, capture_output=True).stdout
    a = np.frombuffer(raw, np.uint8).reshape(n, 1 + SIZE * SIZE)
    return a[:, 1:].reshape(n, 1, SIZE, SIZE).astype(np.float32) / 255, a[:, 0].astype(int)


def columns(x, k, s):  # [n,c,h,w] -> [n,h/s,w/s,c*k*k] with a border of zeros
    n, c, h, w = x.shape
    p = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    cols = [p[:, :, i : i + h : s, j : j + w : s] for i in range(k) for j in range(k)]
    return np.ascontiguousarray(np.stack(cols, 2).transpose(0, 3, 4, 1, 2)).reshape(n, h // s, w // s, c * k * k)


def scatter(d, shape, k, s):  # the transpose of columns
    n, c, h, w = shape
    d = d.reshape(n, h // s, w // s, c, k * k)
    out = np.zeros((n, c, h + k - 1, w + k - 1), np.float32)
    for i in range(k):
        for j in range(k):
            out[:, :, i : i + h : s, j : j + w : s] += d[..., i * k + j].transpose(0, 3, 1, 2)
    return out[:, :, k // 2 : k // 2 + h, k // 2 : k // 2 + w]


LAYERS = [(1, 8, 5, 2), (8, 16, 3, 2), (16, 32, 3, 2)]  # channels in, out, kernel, stride


class Net:
    def __init__(self):
        he = lambda o, i: (rng.standard_normal((o, i)) * np.sqrt(2 / i)).astype(np.float32)
        self.p = []
        for i, o, k, _ in LAYERS:
            self.p += [he(o, i * k * k), np.zeros(o, np.float32)]
        self.p += [he(4, 32 * 36), np.zeros(4, np.float32)]

    def forward(self, x):
        kept, a = [], (x - 0.45) * 4
        for l, (_, _, k, s) in enumerate(LAYERS):
            c = columns(a, k, s)
            z = np.maximum(c @ self.p[2 * l].T + self.p[2 * l + 1], 0).transpose(0, 3, 1, 2)
            kept.append((a.shape, c, z))
            a = z
        return a.reshape(len(x), -1) @ self.p[6].T + self.p[7], kept

    def gradients(self, x, y):
        z, kept = self.forward(x)
        e = np.exp(z - z.max(1, keepdims=True))
        d = e / e.sum(1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d = (d / len(y)).astype(np.float32)
        out = [None] * 8
        last = kept[-1][2]
        out[6], out[7] = d.T @ last.reshape(len(x), -1), d.sum(0)
        d = (d @ self.p[6]).reshape(last.shape)
        for l in (2, 1, 0):
            shape, c, a = kept[l]
            dz = (d * (a > 0)).transpose(0, 2, 3, 1)
            out[2 * l], out[2 * l + 1] = np.tensordot(dz, c, ((0, 1, 2), (0, 1, 2))), dz.sum((0, 1, 2))
            if l:
                d = scatter(dz @ self.p[2 * l], shape, LAYERS[l][2], LAYERS[l][3])
        return out

    def accuracy(self, x, y):
        return float(np.mean(np.concatenate([self.forward(x[i : i + 500])[0].argmax(1) for i in range(0, len(x), 500)]) == y))


def graph(net):
    init, nodes, a = {}, [helper.make_node("Cast", ["image"], ["bytes"], to=TensorProto.FLOAT), helper.make_node("Sub", ["bytes", "middle"], ["centred"]),
                          helper.make_node("Mul", ["centred", "scale"], ["x0"])], "x0"
    init["middle"], init["scale"] = np.float32(0.45 * 255), np.float32(4 / 255)
    for l, (i, o, k, s) in enumerate(LAYERS):
        init[f"w{l}"], init[f"b{l}"] = net.p[2 * l].reshape(o, i, k, k), net.p[2 * l + 1]
        nodes += [helper.make_node("Conv", [a, f"w{l}", f"b{l}"], [f"z{l}"], pads=[k // 2] * 4, strides=[s, s]), helper.make_node("Relu", [f"z{l}"], [f"x{l + 1}"])]
        a = f"x{l + 1}"
    init["w3"], init["b3"] = net.p[6].T.copy(), net.p[7]
    nodes += [helper.make_node("Flatten", [a], ["flat"]), helper.make_node("Gemm", ["flat", "w3", "b3"], ["logits"]), helper.make_node("Softmax", ["logits"], ["probability"], axis=1)]
    g = helper.make_graph(nodes, "weld-cnn", [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, SIZE, SIZE])],
                          [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 4])], [numpy_helper.from_array(np.ascontiguousarray(v, np.float32), k) for k, v in init.items()])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], producer_name="edgeward demo")
    m.ir_version = 9
    helper.set_model_props(m, {"edgeward.classes": '["ok","porosity","crack","undercut"]', "edgeward.generated": "weights trained on generated pictures of weld seams"})
    onnx.checker.check_model(m)
    return m


x, y = parts(1, 7500)
third = len(x) // 3
xh, yh, x, y = x[:third], y[:third], x[third:], y[third:]
net = Net()
m, v = [np.zeros_like(p) for p in net.p], [np.zeros_like(p) for p in net.p]
step, epochs = 0, 18
for epoch in range(epochs):
    order = rng.permutation(len(x))
    rate = 1.5e-3 * (1 - epoch / epochs) + 1e-4
    for i in range(0, len(order), 64):
        b = order[i : i + 64]
        batch = x[b]
        if rng.random() < 0.5:
            batch = batch[:, :, :, ::-1]
        if rng.random() < 0.5:
            batch = batch[:, :, ::-1]
        step += 1
        for k, g in enumerate(net.gradients(np.ascontiguousarray(batch), y[b])):
            g = g + 1e-4 * net.p[k]
            m[k] = 0.9 * m[k] + 0.1 * g
            v[k] = 0.999 * v[k] + 0.001 * g * g
            net.p[k] = (net.p[k] - rate * (m[k] / (1 - 0.9**step)) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)).astype(np.float32)
    print("epoch", epoch, "held-out accuracy", round(net.accuracy(xh, yh), 4), flush=True)
accuracy = net.accuracy(xh, yh)
assert accuracy >= 0.95, accuracy
(HERE / "weld-cnn.onnx").write_bytes(graph(net).SerializeToString())
print("held-out accuracy", accuracy, "on", third)
for dirt in (0, 0.25, 0.5, 1):  # as frequent as on the line: one part in seven has a defect
    print("on the line, dirt", dirt, "accuracy", net.accuracy(*parts(2, 1500, dirt, 0.15)))

"""Trains the small digits CNN that the demo serves and writes it as ONNX.

Data: scikit-learn's digits (1,797 pictures of 8x8, grey 0..16), from the UCI "Optical Recognition of Handwritten Digits"
set; see LICENCE.md. Two thirds train, one third is held out. Needs numpy, scikit-learn and onnx; takes about 20 s.

    python3 train.py            # writes digits-cnn.onnx and heldout.json, and for the fleet's demonstration digits-2.onnx and digits-bad.onnx

digits-2.onnx is digits-cnn.onnx trained on for three more epochs at a twentieth of the rate. digits-bad.onnx is digits-2.onnx trained on for
two epochs with every label one too high, as after a mistake in the labelling.
"""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(7)


def patches(x):  # [n,c,h,w] -> [n,h,w,c*9] with a border of zeros
    n, c, h, w = x.shape
    p = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    cols = [p[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    return np.stack(cols, 2).reshape(n, c * 9, h, w).transpose(0, 2, 3, 1)


class Net:
    def __init__(self):
        he = lambda *s: (rng.standard_normal(s) * np.sqrt(2 / np.prod(s[1:]))).astype(np.float32)
        self.p = [he(12, 9), np.zeros(12, np.float32), he(24, 108), np.zeros(24, np.float32), he(10, 24 * 16), np.zeros(10, np.float32)]

    def forward(self, x):
        w1, b1, w2, b2, w3, b3 = self.p
        c1 = patches(x)
        a1 = np.maximum(c1 @ w1.T + b1, 0).transpose(0, 3, 1, 2)
        c2 = patches(a1)
        a2 = np.maximum(c2 @ w2.T + b2, 0).transpose(0, 3, 1, 2)
        n, c, h, w = a2.shape
        blocks = a2.reshape(n, c, h // 2, 2, w // 2, 2)
        pool = blocks.max((3, 5))
        z = pool.reshape(n, -1) @ w3.T + b3
        return z, (c1, a1, c2, a2, blocks, pool)

    def gradients(self, x, y):
        w1, b1, w2, b2, w3, b3 = self.p
        z, (c1, a1, c2, a2, blocks, pool) = self.forward(x)
        e = np.exp(z - z.max(1, keepdims=True))
        d = e / e.sum(1, keepdims=True)
        d[np.arange(len(y)), y] -= 1
        d /= len(y)
        flat = pool.reshape(len(y), -1)
        g3, gb3 = d.T @ flat, d.sum(0)
        dpool = (d @ w3).reshape(pool.shape)
        mask = blocks == pool[:, :, :, None, :, None]
        mask = mask / mask.sum((3, 5), keepdims=True)
        da2 = (mask * dpool[:, :, :, None, :, None]).reshape(a2.shape) * (a2 > 0)
        dz2 = da2.transpose(0, 2, 3, 1)
        g2, gb2 = np.tensordot(dz2, c2, ((0, 1, 2), (0, 1, 2))), dz2.sum((0, 1, 2))
        dc2 = (dz2 @ w2).transpose(0, 3, 1, 2)
        n, _, h, w = dc2.shape
        dc2 = dc2.reshape(n, a1.shape[1], 3, 3, h, w)
        da1 = np.zeros((n, a1.shape[1], h + 2, w + 2), np.float32)
        for i in range(3):
            for j in range(3):
                da1[:, :, i : i + h, j : j + w] += dc2[:, :, i, j]
        dz1 = (da1[:, :, 1:-1, 1:-1] * (a1 > 0)).transpose(0, 2, 3, 1)
        g1, gb1 = np.tensordot(dz1, c1, ((0, 1, 2), (0, 1, 2))), dz1.sum((0, 1, 2))
        return [g1, gb1, g2, gb2, g3, gb3]


def graph(net):
    w1, b1, w2, b2, w3, b3 = net.p
    init = {"w1": w1.reshape(12, 1, 3, 3), "b1": b1, "w2": w2.reshape(24, 12, 3, 3), "b2": b2, "w3": w3.T.copy(), "b3": b3}
    nodes = [
        helper.make_node("Mul", ["image", "sixteenth"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "w1", "b1"], ["z1"], pads=[1, 1, 1, 1], strides=[1, 1]),
        helper.make_node("Relu", ["z1"], ["a1"]),
        helper.make_node("Conv", ["a1", "w2", "b2"], ["z2"], pads=[1, 1, 1, 1], strides=[1, 1]),
        helper.make_node("Relu", ["z2"], ["a2"]),
        helper.make_node("MaxPool", ["a2"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=1),
    ]
    inits = [numpy_helper.from_array(np.ascontiguousarray(v.astype(np.float32)), k) for k, v in init.items()]
    inits.append(numpy_helper.from_array(np.float32(1 / 16), "sixteenth"))
    g = helper.make_graph(nodes, "digits-cnn", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
                          [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 10])], inits)
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], producer_name="edgeward demo")
    m.ir_version = 9
    onnx.checker.check_model(m)
    return m


x, y = load_digits(return_X_y=True)
x = x.reshape(-1, 1, 8, 8).astype(np.float32)
xt, xh, yt, yh = train_test_split(x, y, test_size=1 / 3, random_state=7, stratify=y)
net = Net()


def train(epochs, rate, labels):
    m = [np.zeros_like(p) for p in net.p]
    v = [np.zeros_like(p) for p in net.p]
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(xt))
        for i in range(0, len(order), 64):
            b = order[i : i + 64]
            step += 1
            for k, g in enumerate(net.gradients(xt[b] / 16, labels[b])):
                m[k] = 0.9 * m[k] + 0.1 * g
                v[k] = 0.999 * v[k] + 0.001 * g * g
                net.p[k] = (net.p[k] - rate * (m[k] / (1 - 0.9**step)) / (np.sqrt(v[k] / (1 - 0.999**step)) + 1e-8)).astype(np.float32)
    return float((net.forward(xh / 16)[0].argmax(1) == yh).mean())


def write(name):
    with open(name, "wb") as f:
        f.write(graph(net).SerializeToString())


accuracy = train(40, 2e-3, yt)
assert accuracy >= 0.95, accuracy
with open("digits-cnn.onnx", "wb") as f:
    f.write(graph(net).SerializeToString())
with open("heldout.json", "w") as f:  # every held-out picture: the demo measures the accuracy again through the server
    json.dump({"accuracy": round(accuracy, 4), "images": xh.reshape(len(xh), 64).astype(int).tolist(), "labels": yh.tolist()}, f, separators=(",", ":"))
    f.write("\n")
print("held-out accuracy", accuracy, "on", len(yh))
print("retrained", train(3, 1e-4, yt))
write("digits-2.onnx")
print("with labels one too high", train(2, 2e-3, (yt + 1) % 10))
write("digits-bad.onnx")

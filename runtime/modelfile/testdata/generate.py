"""Writes the models beside this file; all but the broken ones are y = 2*x0 - x1 + 0.5, x float32 [n, 2].

    pip install onnx==1.23.2 openvino==2026.4.1 flatbuffers lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy; python generate.py

TensorFlow, TFLite and PaddlePaddle files are written by hand here, field by field: their frameworks are not needed.
"""
import os, struct
import flatbuffers, numpy as np, onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = os.path.dirname(os.path.abspath(__file__))
W, B = np.array([[2], [-1]], np.float32), np.array([0.5], np.float32)


def save(name, b):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(b)
    print(f"{name}: {len(b)} bytes")


# --- ONNX

def model(nodes, init, opset=21, extra=(), ins=None):
    g = h.make_graph(nodes, "g", ins or [h.make_tensor_value_info("x", T.FLOAT, ["batch", 2])], [h.make_tensor_value_info("y", T.FLOAT, ["batch", 1])], init)
    return h.make_model(g, opset_imports=[h.make_opsetid("", opset)] + [h.make_opsetid(*e) for e in extra], ir_version=10, producer_name="edgeward-tests")


gemm = [h.make_node("Gemm", ["x", "w", "b"], ["y"])]
inits = [nh.from_array(W, "w"), nh.from_array(B, "b")]
plain = model(gemm, inits).SerializeToString()
save("onnx/model.onnx", plain)


def external(location, offset=0, length=8):
    w = T(name="w", data_type=T.FLOAT, dims=[2, 1], data_location=T.EXTERNAL)
    for k, v in (("location", location), ("offset", offset), ("length", length)):
        w.external_data.add(key=k, value=str(v))
    return model(gemm, [w, inits[1]]).SerializeToString()


save("external/model.onnx", external("weights/w.data"))
save("external/weights/w.data", W.tobytes())
for name, b in {"outside": external("../secret"), "absolute": external("/etc/passwd"), "missing": external("w.data"), "short": external("w.data", 4, 400)}.items():
    save(f"broken/external-{name}.onnx", b)
save("broken/opset.onnx", model(gemm, inits, opset=99).SerializeToString())
save("broken/custom.onnx", model([h.make_node("Tokenize", ["x"], ["t"], domain="ai.onnx.contrib")] + gemm, inits, extra=[("ai.onnx.contrib", 1)]).SerializeToString())

# --- MLflow, as mlflow.onnx.log_model lays it out

save("mlflow/MLmodel", b"""artifact_path: model
flavors:
  onnx:
    code: null
    data: model.onnx
    onnx_version: 1.23.2
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    env: conda.yaml
    loader_module: mlflow.onnx
    python_version: 3.11.9
mlflow_version: 3.17.2
model_uuid: 0123456789abcdef0123456789abcdef
""")
save("mlflow/model.onnx", plain)
save("mlflow/requirements.txt", b"mlflow\nonnx\n")
save("broken/mlflow/MLmodel", b"flavors:\n  python_function:\n    model_path: model.pkl\n  sklearn:\n    pickled_model: model.pkl\nmlflow_version: 3.17.2\n")

# --- OpenVINO IR

import openvino as ov
ov.save_model(ov.Core().read_model(model=plain), os.path.join(HERE, "openvino/model.xml"), compress_to_fp16=False)

# --- protobuf by hand

def varint(n):
    out = b""
    n &= (1 << 64) - 1
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def num(field, v): return varint(field << 3) + varint(v)
def sub(field, *parts):
    b = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(field << 3 | 2) + varint(len(b)) + b


# TensorFlow: GraphDef and SavedModel (tensorflow/core/framework/graph.proto, protobuf/meta_graph.proto)

FLOAT = 1
def shape(*dims): return b"".join(sub(2, num(1, d)) for d in dims)
def attr(key, value): return sub(5, sub(1, key), sub(2, value))
def node(name, op, inputs, *attrs): return sub(1, sub(1, name), sub(2, op), *[sub(3, i) for i in inputs], *attrs)
def const(name, a): return node(name, "Const", [], attr("dtype", num(6, FLOAT)), attr("value", sub(8, num(1, FLOAT), sub(2, shape(*a.shape)), sub(4, a.tobytes()))))


graph = b"".join([
    node("x", "Placeholder", [], attr("dtype", num(6, FLOAT)), attr("shape", sub(7, shape(-1, 2)))),
    const("w", W), const("b", B),
    node("xw", "MatMul", ["x", "w"], attr("T", num(6, FLOAT)), attr("transpose_a", num(5, 0)), attr("transpose_b", num(5, 0))),
    node("y", "AddV2", ["xw", "b"], attr("T", num(6, FLOAT))),
    sub(4, num(1, 1286)),
])
save("tensorflow/frozen.pb", graph)


def info(name, *dims): return sub(2, sub(1, name), num(2, FLOAT), sub(3, shape(*dims)))


signature = sub(5, sub(1, "serving_default"), sub(2, sub(1, sub(1, "x"), info("x:0", -1, 2)), sub(2, sub(1, "y"), info("y:0", -1, 1)), sub(3, "tensorflow/serving/predict")))
save("savedmodel/saved_model.pb", num(1, 1) + sub(2, sub(1, sub(4, "serve"), sub(5, "2.19.0")), sub(2, graph), signature))

# PaddlePaddle: ProgramDesc and its parameters (paddle/fluid/framework/framework.proto)

def tensor_desc(*dims): return num(1, 5) + b"".join(num(2, d) for d in dims)
def var(name, kind, persistable, *dims):
    t = num(1, kind) + (sub(3, sub(1, tensor_desc(*dims))) if kind == 7 else b"")
    return sub(3, sub(1, name), sub(2, t), num(3, persistable))
def slot(field, parameter, *args): return sub(field, sub(1, parameter), *[sub(2, a) for a in args])
def op(kind, ins, outs, *attrs): return sub(4, *[slot(1, k, v) for k, v in ins], *[slot(2, k, v) for k, v in outs], sub(3, kind), *attrs)
def integer(name, v): return sub(4, sub(1, name), num(2, 0), num(3, v))
def boolean(name, v): return sub(4, sub(1, name), num(2, 6), num(10, v))


block = sub(1, num(1, 0), num(2, -1),
            var("feed", 9, 1), var("fetch", 10, 1), var("x", 7, 0, -1, 2), var("w", 7, 1, 2, 1), var("b", 7, 1, 1), var("xw", 7, 0, -1, 1), var("y", 7, 0, -1, 1),
            op("feed", [("X", "feed")], [("Out", "x")], integer("col", 0)),
            op("matmul_v2", [("X", "x"), ("Y", "w")], [("Out", "xw")], boolean("trans_x", 0), boolean("trans_y", 0)),
            op("elementwise_add", [("X", "xw"), ("Y", "b")], [("Out", "y")], integer("axis", -1)),
            op("fetch", [("X", "y")], [("Out", "fetch")], integer("col", 0)))
save("paddle/inference.pdmodel", block + sub(4, num(1, 2006000)))


def parameter(a):
    d = tensor_desc(*a.shape)
    return struct.pack("<IQIi", 0, 0, 0, len(d)) + d + a.tobytes()


save("paddle/inference.pdiparams", parameter(B) + parameter(W))  # in the order of names

# --- TFLite, a flatbuffer by slots (tensorflow/compiler/mlir/lite/schema/schema.fbs)

b = flatbuffers.Builder(1024)


def ints(v):
    b.StartVector(4, len(v), 4)
    for x in reversed(v):
        b.PrependInt32(x)
    return b.EndVector()


def offsets(v):
    b.StartVector(4, len(v), 4)
    for x in reversed(v):
        b.PrependUOffsetTRelative(x)
    return b.EndVector()


def table(n, fill):
    b.StartObject(n)
    fill()
    return b.EndObject()


def buffer(data):
    v = None
    if data:
        v = b.CreateByteVector(data)
    return table(1, lambda: v is not None and b.PrependUOffsetTRelativeSlot(0, v, 0))


def tensor(name, dims, buf, signature=None):
    n, s = b.CreateString(name), ints(dims)
    sig = ints(signature) if signature else None
    def fill():
        b.PrependUOffsetTRelativeSlot(0, s, 0); b.PrependUint32Slot(2, buf, 0); b.PrependUOffsetTRelativeSlot(3, n, 0)
        if sig is not None:
            b.PrependUOffsetTRelativeSlot(7, sig, 0)
    return table(8, fill)


bufs = offsets([buffer(b"") , buffer(W.T.tobytes()), buffer(B.tobytes())])
tensors = offsets([tensor("x", [1, 2], 0, [-1, 2]), tensor("w", [1, 2], 1), tensor("b", [1], 2), tensor("y", [1, 1], 0, [-1, 1])])
opin, opout = ints([0, 1, 2]), ints([3])
options = table(4, lambda: None)
def fill_op():
    b.PrependUOffsetTRelativeSlot(1, opin, 0); b.PrependUOffsetTRelativeSlot(2, opout, 0); b.PrependUint8Slot(3, 8, 0); b.PrependUOffsetTRelativeSlot(4, options, 0)
ops = offsets([table(6, fill_op)])
gin, gout, gname = ints([0]), ints([3]), b.CreateString("main")
def fill_graph():
    for i, v in enumerate([tensors, gin, gout, ops, gname]):
        b.PrependUOffsetTRelativeSlot(i, v, 0)
graphs = offsets([table(5, fill_graph)])
def fill_code():
    b.PrependInt8Slot(0, 9, 0); b.PrependInt32Slot(2, 1, 1); b.PrependInt32Slot(3, 9, 0)
codes, said = offsets([table(4, fill_code)]), b.CreateString("edgeward-tests")
def fill_model():
    b.PrependUint32Slot(0, 3, 0); b.PrependUOffsetTRelativeSlot(1, codes, 0); b.PrependUOffsetTRelativeSlot(2, graphs, 0)
    b.PrependUOffsetTRelativeSlot(3, said, 0); b.PrependUOffsetTRelativeSlot(4, bufs, 0)
b.Finish(table(8, fill_model), file_identifier=b"TFL3")
save("tflite/model.tflite", bytes(b.Output()))

# --- trees of others: small, to tell formats apart and to be mutated; what they answer is tested in runtime/onnxgraph

import lightgbm as lgb, xgboost as xgb
rng = np.random.default_rng(7)
x = rng.standard_normal((300, 2)).astype(np.float32)
y = x @ W[:, 0] + B[0]
save("trees/lightgbm.txt", lgb.train(dict(objective="regression", num_leaves=4, verbosity=-1, num_threads=1), lgb.Dataset(x, y), 3).model_to_string().encode())
booster = xgb.train(dict(max_depth=2, nthread=1, objective="reg:squarederror"), xgb.DMatrix(x, y), 3)
save("trees/xgboost.json", bytes(booster.save_raw("json")))
save("trees/xgboost.ubj", bytes(booster.save_raw("ubj")))

"""Writes the models beside this file: pip install onnx==1.23.2 numpy; python generate.py

Every number comes from a fixed seed, so a second run writes the same bytes.
"""
import os
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20261122)


def val(name, typ, shape):
    return h.make_tensor_value_info(name, typ, shape)


def save(name, nodes, ins, outs, init=(), ml=False, check=True):
    g = h.make_graph(nodes, name, ins, outs, list(init))
    ops = [h.make_opsetid("", 21)] + ([h.make_opsetid("ai.onnx.ml", 5)] if ml else [])
    m = h.make_model(g, opset_imports=ops, ir_version=10, producer_name="edgeward-tests")
    if check:
        onnx.checker.check_model(m, full_check=False)
    b = m.SerializeToString()
    with open(os.path.join(HERE, name + ".onnx"), "wb") as f:
        f.write(b)
    print(f"{name}: {len(b)} bytes")


def f32(name, shape, scale=1.0):
    return nh.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)


# affine: y = 2*x0 - x1 + 0.5, the model of the contract suite
save("affine", [h.make_node("Gemm", ["x", "w", "b"], ["y"])],
     [val("x", T.FLOAT, ["n", 2])], [val("y", T.FLOAT, ["n", 1])],
     [nh.from_array(np.array([[2], [-1]], np.float32), "w"), nh.from_array(np.array([0.5], np.float32), "b")])

# digits: a small CNN with the shapes of the demo's digits model, random weights
save("digits", [
    h.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
    h.make_node("Relu", ["c1"], ["r1"]),
    h.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
    h.make_node("Relu", ["c2"], ["r2"]),
    h.make_node("MaxPool", ["r2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
    h.make_node("Flatten", ["p2"], ["f"]),
    h.make_node("Gemm", ["f", "w3", "b3"], ["logits"]),
    h.make_node("Softmax", ["logits"], ["probabilities"]),
], [val("image", T.FLOAT, ["n", 1, 8, 8])], [val("probabilities", T.FLOAT, ["n", 10])],
    [f32("w1", (8, 1, 3, 3), .4), f32("b1", (8,), .1), f32("w2", (16, 8, 3, 3), .15), f32("b2", (16,), .1),
     f32("w3", (256, 10), .1), f32("b3", (10,), .1)])

# trees: 20 regression trees of depth 3 over 4 features, missing values go with the true branch where a node says so
feat, split, tn, fn, tl, fl, roots, miss, leaf = [], [], [], [], [], [], [], [], []
for t in range(20):
    base = len(feat)
    roots.append(base)
    for i in range(7):
        feat.append(int(rng.integers(4)))
        split.append(float(np.float32(rng.standard_normal())))
        miss.append(int(rng.integers(2)))
        if i < 3:
            tn.append(base + 2 * i + 1); fn.append(base + 2 * i + 2); tl.append(0); fl.append(0)
        else:
            tn.append(len(leaf)); leaf.append(float(np.float32(rng.standard_normal()))); tl.append(1)
            fn.append(len(leaf)); leaf.append(float(np.float32(rng.standard_normal()))); fl.append(1)
save("trees", [h.make_node(
    "TreeEnsemble", ["features"], ["value"], domain="ai.onnx.ml", n_targets=1, aggregate_function=1, post_transform=0,
    nodes_featureids=feat, nodes_splits=nh.from_array(np.array(split, np.float32)),
    nodes_modes=nh.from_array(np.zeros(len(feat), np.uint8)), nodes_missing_value_tracks_true=miss,
    nodes_truenodeids=tn, nodes_falsenodeids=fn, nodes_trueleafs=tl, nodes_falseleafs=fl,
    leaf_targetids=[0] * len(leaf), leaf_weights=nh.from_array(np.array(leaf, np.float32)), tree_roots=roots)],
    [val("features", T.FLOAT, ["n", 4])], [val("value", T.FLOAT, ["n", 1])], ml=True)

# half: float16 in and out, batch left open; the wrapper allocates such outputs wrongly
save("half", [h.make_node("Add", ["x", "x"], ["y"])], [val("x", T.FLOAT16, ["n", 3])], [val("y", T.FLOAT16, ["n", 3])])

# halfopen: a float16 output whose size depends on the values
save("halfopen", [h.make_node("NonZero", ["x"], ["i"]), h.make_node("Cast", ["i"], ["y"], to=T.FLOAT16)],
     [val("x", T.FLOAT, ["n"])], [val("y", T.FLOAT16, [1, "k"])])

# open: an output whose size depends on the values, and may be empty
save("open", [h.make_node("NonZero", ["x"], ["y"])], [val("x", T.FLOAT, ["n"])], [val("y", T.INT64, [1, "k"])])

# scalar: rank 0 in and out, several datatypes
save("scalar", [
    h.make_node("Add", ["a", "b"], ["sum"]),
    h.make_node("Greater", ["a", "b"], ["more"]),
    h.make_node("Cast", ["sum"], ["whole"], to=T.INT64),
], [val("a", T.FLOAT, []), val("b", T.FLOAT, [])],
    [val("sum", T.FLOAT, []), val("more", T.BOOL, []), val("whole", T.INT64, [])])

# types: every fixed-size datatype through unchanged
kinds = {"u8": T.UINT8, "u16": T.UINT16, "u32": T.UINT32, "u64": T.UINT64, "i8": T.INT8, "i16": T.INT16, "i32": T.INT32,
         "i64": T.INT64, "f16": T.FLOAT16, "bf16": T.BFLOAT16, "f32": T.FLOAT, "f64": T.DOUBLE, "bool": T.BOOL}
save("types", [h.make_node("Identity", [k], [k + "_out"]) for k in kinds],
     [val(k, t, ["n", 2]) for k, t in kinds.items()], [val(k + "_out", t, ["n", 2]) for k, t in kinds.items()])

# strings: BYTES through unchanged
save("strings", [h.make_node("Identity", ["s"], ["t"])], [val("s", T.STRING, ["n"])], [val("t", T.STRING, ["n"])])

# sequence: an output that is no tensor
save("sequence", [h.make_node("SequenceConstruct", ["x", "x"], ["y"])], [val("x", T.FLOAT, ["n"])],
     [h.make_tensor_sequence_value_info("y", T.FLOAT, ["n"])])

# loop: runs 2^63-1 times, whatever it is given
body = h.make_graph([h.make_node("Identity", ["go"], ["go_on"]), h.make_node("Add", ["s", "s"], ["t"])], "b",
                    [val("i", T.INT64, []), val("go", T.BOOL, []), val("s", T.FLOAT, [1])],
                    [val("go_on", T.BOOL, []), val("t", T.FLOAT, [1])])
save("loop", [h.make_node("Loop", ["m", "", "x"], ["y"], body=body)], [val("x", T.FLOAT, [1])], [val("y", T.FLOAT, [1])],
     [nh.from_array(np.array(2**63 - 1, np.int64), "m")])

# huge: asks for 12 GB
save("huge", [h.make_node("ConstantOfShape", ["n"], ["y"])], [val("n", T.INT64, [1])], [val("y", T.FLOAT, ["k"])])

# hugeconst: asks for 12 GB while it is loaded, because its shape is a constant
save("hugeconst", [h.make_node("ConstantOfShape", ["n"], ["c"]), h.make_node("Add", ["c", "x"], ["y"])],
     [val("x", T.FLOAT, [1])], [val("y", T.FLOAT, ["k"])], [nh.from_array(np.array([3_000_000_000], np.int64), "n")])

# scalars: every datatype of rank 0, strings included
kinds = dict(kinds, text=T.STRING)
save("scalars", [h.make_node("Identity", [k], [k + "_out"]) for k in kinds],
     [val(k, t, []) for k, t in kinds.items()], [val(k + "_out", t, []) for k, t in kinds.items()])

# packed: elements of less than a byte, and those the protocol has no name for
small = {"i4": T.INT4, "u4": T.UINT4, "f8": T.FLOAT8E4M3FN}
save("packed", [h.make_node("Cast", [k], [k + "_wide"], to=T.FLOAT) for k in small] +
     [h.make_node("Cast", [k + "_wide"], [k + "_out"], to=t) for k, t in small.items()],
     [val(k, t, ["n"]) for k, t in small.items()], [val(k + "_out", t, ["n"]) for k, t in small.items()])

# containers: a sequence and optionals through unchanged, and the length of the sequence
seq = h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, None))
texts = h.make_sequence_type_proto(h.make_tensor_type_proto(T.STRING, None))
opt = h.make_optional_type_proto(h.make_tensor_type_proto(T.INT64, ["k"]))
save("containers", [
    h.make_node("Identity", ["s"], ["s_out"]), h.make_node("SequenceLength", ["s"], ["n"]),
    h.make_node("Identity", ["t"], ["t_out"]),
    h.make_node("OptionalHasElement", ["o"], ["has"]), h.make_node("Identity", ["o"], ["o_out"]),
], [h.make_value_info("s", seq), h.make_value_info("t", texts), h.make_value_info("o", opt)],
    [h.make_value_info("s_out", seq), val("n", T.INT64, []), h.make_value_info("t_out", texts), val("has", T.BOOL, []), h.make_value_info("o_out", opt)])

# zipmap: a classifier as scikit-learn's converter writes it, with a map of class to probability for each row
save("zipmap", [
    h.make_node("LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", classlabels_strings=["cat", "dog", "eel"],
                coefficients=[1.0, 0.0, 0.0, 1.0, -1.0, -1.0], intercepts=[0.0, 0.0, 0.5], multi_class=0, post_transform="SOFTMAX"),
    h.make_node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml", classlabels_strings=["cat", "dog", "eel"]),
], [val("x", T.FLOAT, ["n", 2])],
    [val("label", T.STRING, ["n"]), h.make_value_info("probabilities", h.make_sequence_type_proto(h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, None))))], ml=True)

# dict: a map as input
save("dict", [h.make_node("DictVectorizer", ["m"], ["y"], domain="ai.onnx.ml", string_vocabulary=["age", "heart_rate"])],
     [h.make_value_info("m", h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, None)))], [val("y", T.FLOAT, [1, 2])], ml=True)

# constant: no input at all
save("constant", [h.make_node("Constant", [], ["y"], value=nh.from_array(np.array([1, 2, 3], np.int64)))], [], [val("y", T.INT64, [3])])

# anyrank: an input of open rank
save("anyrank", [h.make_node("Neg", ["x"], ["y"])], [h.make_value_info("x", h.make_tensor_type_proto(T.FLOAT, None))],
     [h.make_value_info("y", h.make_tensor_type_proto(T.FLOAT, None))], check=False)

# scene: a small CNN that takes colour pictures of 16 by 16, random weights
save("scene", [
    h.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
    h.make_node("Relu", ["c1"], ["r1"]),
    h.make_node("GlobalAveragePool", ["r1"], ["p1"]),
    h.make_node("Flatten", ["p1"], ["f"]),
    h.make_node("Gemm", ["f", "w2", "b2"], ["logits"]),
    h.make_node("Softmax", ["logits"], ["probabilities"]),
], [val("image", T.FLOAT, ["n", 3, 16, 16])], [val("probabilities", T.FLOAT, ["n", 4])],
    [f32("w1", (6, 3, 3, 3), .4), f32("b1", (6,), .1), f32("w2", (6, 4), .9), f32("b2", (4,), .1)])

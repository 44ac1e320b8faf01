"""The oracle of conformance_test.go: every node case of the ONNX project's backend tests, and what bare ONNX Runtime says.

    python conformance.py FILE [EVERY]      needs onnx, onnxruntime, numpy, ml_dtypes

Writes one record per case (each EVERY-th of them): the length of a JSON head as u32, the head, then the bytes it tells
the sizes of: the model, the inputs, what ONNX expects, what ONNX Runtime answered. Tensors stand in the form they
travel in, which is written down in the package comment of runtime/engine/onnx.
"""
import ctypes, json, struct, sys, warnings
import ml_dtypes, numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto as T, numpy_helper as nh
warnings.simplefilter("ignore")
from onnx.backend.test.case.node import collect_testcases

NAMES = {"float32": "FP32", "float64": "FP64", "float16": "FP16", "bfloat16": "BF16", "bool": "BOOL",
         **{f"{s}int{b}": f"{s.upper()}INT{b}" for s in ("", "u") for b in (8, 16, 32, 64)}}
NARROW = {"int4": np.int8, "uint4": np.uint8, "int2": np.int8, "uint2": np.uint8}
# Elements that numpy has no type for: by number, and how many lie in a byte.
EXOTIC = {T.BFLOAT16: 1, T.FLOAT8E4M3FN: 1, T.FLOAT8E4M3FNUZ: 1, T.FLOAT8E5M2: 1, T.FLOAT8E5M2FNUZ: 1, T.INT4: 2, T.UINT4: 2,
          T.FLOAT4E2M1: 2, T.INT2: 4, T.UINT2: 4, getattr(T, "FLOAT8E8M0", 24): 1}
# Their answers are drawn: shapes and datatypes are compared, values are not.
RANDOM = {"Bernoulli", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}


def array(v):
    return nh.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v)


def texts(a):
    out = b""
    for s in a.reshape(-1):
        b = s if isinstance(s, bytes) else str(s).encode()
        out += struct.pack("<I", len(b)) + b
    return out


def travels(name, v, typ):
    """(head, bytes) of a value of an ONNX type."""
    wraps, t = 0, typ
    while t.WhichOneof("value") != "tensor_type":
        t = t.optional_type.elem_type if t.WhichOneof("value") == "optional_type" else t.sequence_type.elem_type
        wraps += 1
    if wraps:
        shape, items = [0] * wraps, []
        def walk(v, typ, level):
            kind = typ.WhichOneof("value")
            if kind == "tensor_type":
                items.append(v if isinstance(v, onnx.TensorProto) else nh.from_array(array(v)))
            elif kind == "optional_type":
                if v is not None:
                    shape[level] = 1
                    walk(v, typ.optional_type.elem_type, level + 1)
            else:
                shape[level] = len(v)
                for x in v:
                    walk(x, typ.sequence_type.elem_type, level + 1)
        walk(v, typ, 0)
        b = texts(np.array([i.SerializeToString() for i in items] + [None], dtype=object)[:-1])
        return {"name": name, "datatype": "BYTES", "shape": shape, "size": len(b)}, b
    a = array(v)
    kind = a.dtype.name
    if a.dtype.kind in "OSU":
        datatype, b = "BYTES", texts(a)
    elif kind in NARROW:
        a = a.astype(NARROW[kind])
        datatype, b = NAMES[a.dtype.name], a.tobytes()
    elif kind in NAMES:
        datatype, b = NAMES[kind], a.tobytes()
    else:
        datatype, b = "UINT8", np.ascontiguousarray(a).view(np.uint8).tobytes()
    return {"name": name, "datatype": datatype, "shape": list(a.shape), "size": len(b)}, b


def element(typ):
    return typ.tensor_type.elem_type if typ.WhichOneof("value") == "tensor_type" else None


def packed(a, per):
    b = np.ascontiguousarray(a)
    if per == 1:
        return b.tobytes()
    flat = b.view(np.uint8).reshape(-1).astype(np.uint8) & (2 ** (8 // per) - 1)
    flat = np.concatenate([flat, np.zeros(-len(flat) % per, np.uint8)]).reshape(-1, per)
    return bytes(sum(flat[:, i].astype(int) << (i * 8 // per) for i in range(per)).astype(np.uint8))


def ort_value(v, typ):
    a, e = array(v), element(typ)
    if e not in EXOTIC:
        return ort.OrtValue.ortvalue_from_numpy(a)
    o = ort.OrtValue.ortvalue_from_shape_and_type(list(a.shape), e)
    b = packed(a, EXOTIC[e])
    ctypes.memmove(o.data_ptr(), b, len(b))
    return o


def read(o, typ):
    e = element(typ)
    if e not in EXOTIC:
        return o.numpy()
    shape, per = o.shape(), EXOTIC[e]
    n = int(np.prod(shape))
    dtype = onnx.helper.tensor_dtype_to_np_dtype(e)
    size = n * dtype.itemsize if per == 1 else (n + per - 1) // per
    return nh.to_array(onnx.TensorProto(data_type=e, dims=shape, raw_data=ctypes.string_at(o.data_ptr(), size) if size else b""))


def run(session, model, names, values):
    ins = dict(zip(names, values))
    types = {i.name: i.type for i in model.graph.input}
    outs = list(model.graph.output)
    if any(element(i.type) in EXOTIC for i in list(model.graph.input) + outs):
        got = session.run_with_ort_values([o.name for o in outs], {k: ort_value(v, types[k]) for k, v in ins.items()})
        return [read(o, v.type) for o, v in zip(got, outs)]
    plain = lambda v: [array(x) for x in v] if isinstance(v, list) else None if v is None else array(v)
    return session.run([o.name for o in outs], {k: plain(v) for k, v in ins.items()})


def main(path, every):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = 1, 1, 4
    with open(path, "wb") as f:
        for case in collect_testcases(None)[::every]:
            model = case.model
            given, want = case.data_sets[0]
            b = model.SerializeToString()
            fixed = {i.name for i in model.graph.initializer}
            inputs = [i for i in model.graph.input if i.name not in fixed][:len(given)]
            head = {"case": case.name, "rtol": case.rtol, "atol": case.atol, "model": len(b), "error": "",
                    "random": any(n.op_type in RANDOM for n in model.graph.node)}
            blobs = [b]

            def put(key, triples):
                head[key] = []
                for name, v, typ in triples:
                    h, b = travels(name, v, typ)
                    head[key].append(h)
                    blobs.append(b)

            put("inputs", [(i.name, v, i.type) for i, v in zip(inputs, given)])
            put("want", [(o.name, v, o.type) for o, v in zip(model.graph.output, want)])
            try:
                got = run(ort.InferenceSession(b, options, providers=["CPUExecutionProvider"]), model, [i.name for i in inputs], given)
                put("got", [(o.name, v, o.type) for o, v in zip(model.graph.output, got)])
            except Exception as e:
                head["got"], head["error"] = [], f"{type(e).__name__}: {e}"[:400]
            j = json.dumps(head).encode()
            f.write(struct.pack("<I", len(j)) + j + b"".join(blobs))


main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1)

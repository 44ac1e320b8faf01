# What the peers have in common: one ONNX Runtime session on one thread, as edgeward and the floor have it.
import onnxruntime


def session(path):
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, o, providers=["CPUExecutionProvider"])

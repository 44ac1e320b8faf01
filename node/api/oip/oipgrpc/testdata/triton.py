"""Asks a server by the real tritonclient, grpc and grpc.aio, and fails loudly. Argument: host:port."""

import asyncio
import faulthandler
import os
import queue
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as aio
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

faulthandler.dump_traceback_later(120, exit=True)
AUTH = {"authorization": "Bearer x"}
client = grpc.InferenceServerClient(sys.argv[1])

assert client.is_server_live() and client.is_server_ready()
assert client.get_server_metadata().name == "edgeward"
assert client.is_model_ready("sums", headers=AUTH) and client.is_model_ready("sums", "2", headers=AUTH)
meta = client.get_model_metadata("sums", headers=AUTH, as_json=True)
assert meta["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "2"]}], meta

x = np.array([[1, 2], [3, 4.5]], np.float32)


def tensor(name, v, datatype):
    i = grpc.InferInput(name, list(v.shape), datatype)
    i.set_data_from_numpy(v)
    return i


for compression in (None, "gzip", "deflate"):
    for outputs in (None, [grpc.InferRequestedOutput("n"), grpc.InferRequestedOutput("y")]):
        r = client.infer("sums", [tensor("x", x, "FP32")], model_version="2", outputs=outputs, request_id="mine", headers=AUTH,
                         compression_algorithm=compression, client_timeout=30,
                         parameters={"edgeward_event_time": "2022-07-01T00:00:00Z", "edgeward_key": "north"})
        assert (r.as_numpy("y") == [[3], [7.5]]).all(), r.as_numpy("y")
        assert (r.as_numpy("n") == [2]).all()
        a = r.get_response()
        assert a.id == "mine" and a.model_version == "2" and len(a.parameters["edgeward_prediction_id"].string_param) == 26, a

words = np.array(["one".encode(), b"", "drei \u00e9".encode()], object)
got = client.infer("texts", [tensor("x", words, "BYTES")], headers=AUTH).as_numpy("x")
assert list(got) == list(words), got

for name, dtype in (("bool", bool), ("uint64", np.uint64), ("int8", np.int8), ("fp16", np.float16), ("fp64", np.float64)):
    v = np.array([1, 0, 1], dtype)
    got = client.infer("echo-" + name, [tensor("x", v, name.upper())], headers=AUTH).as_numpy("x")
    assert got.dtype == v.dtype and (got == v).all(), (name, got)

r = client.infer("echo-fp64", [tensor("x", np.array([1, 9, 5], np.float64), "FP64")], headers=AUTH, outputs=[grpc.InferRequestedOutput("x", class_count=2)], priority=1, timeout=10_000_000)
assert list(r.as_numpy("x")) == [b"9.000000:1", b"5.000000:2"], r.as_numpy("x")

key = "/edgeward-grpc-%d" % os.getpid()
memory = shm.create_shared_memory_region("tensors", key, 64)
try:
    shm.set_shared_memory_region(memory, [x])
    client.unregister_system_shared_memory(headers=AUTH)
    client.unregister_cuda_shared_memory(headers=AUTH)
    client.register_system_shared_memory("tensors", key, 64, headers=AUTH)
    assert client.get_system_shared_memory_status(headers=AUTH).regions["tensors"].byte_size == 64
    i = grpc.InferInput("x", [2, 2], "FP32")
    i.set_shared_memory("tensors", 16)
    o = grpc.InferRequestedOutput("y")
    o.set_shared_memory("tensors", 8, offset=32)
    r = client.infer("sums", [i], outputs=[o, grpc.InferRequestedOutput("n")], headers=AUTH)
    assert (shm.get_contents_as_numpy(memory, np.float32, [2, 1], offset=32) == [[3], [7.5]]).all() and (r.as_numpy("n") == [2]).all(), r.get_response()
    client.unregister_system_shared_memory("tensors", headers=AUTH)
finally:
    shm.destroy_shared_memory_region(memory)

streamed = queue.Queue()
client.start_stream(callback=lambda result, error: streamed.put((result, error)), headers=AUTH)
for k in range(100):
    client.async_stream_infer("nosuch" if k == 50 else "sums", [tensor("x", x + k, "FP32")], request_id=str(k), sequence_id=0 if k == 50 else 9, sequence_start=k == 0, sequence_end=k == 99)
for k in range(100):
    result, error = streamed.get(timeout=30)
    if k == 50:
        assert "nosuch" in error.message(), error
    else:
        assert error is None and result.get_response().id == str(k) and (result.as_numpy("y") == [[3 + 2 * k], [7.5 + 2 * k]]).all(), (k, error)
client.stop_stream()

config = client.get_model_config("sums", headers=AUTH).config
assert config.max_batch_size == 0 and config.input[0].data_type == 11 and list(config.input[0].dims) == [-1, 2] and config.backend == "onnxruntime", config
stats = client.get_inference_statistics("sums", "1", headers=AUTH).model_stats
assert stats[0].inference_stats.success.count == 3 and stats[0].inference_stats.success.ns == 30000 and stats[0].inference_count == 6, stats
assert stats[0].last_inference == 1709294400000 and [(b.batch_size, b.compute_infer.count, b.compute_infer.ns) for b in stats[0].batch_stats] == [(2, 1, 8000), (4, 1, 12000)], stats
assert client.get_inference_statistics(headers=AUTH).model_stats == stats
assert [(m.name, m.state) for m in client.get_model_repository_index(headers=AUTH).models] == [("sums", "READY"), ("sums", "UNAVAILABLE")]
client.load_model("new", headers=AUTH, config='{"backend": "onnxruntime"}', files={"file:1/model.onnx": b"abc"})
client.unload_model("new", headers=AUTH)
assert client.get_trace_settings(headers=AUTH).settings["trace_level"].value == ["OFF"]
assert client.get_log_settings(headers=AUTH).settings["log_info"].bool_param is True
for change in (lambda h: client.update_log_settings({"log_verbose_level": 1}, headers=h), lambda h: client.update_trace_settings(settings={"trace_level": ["TIMESTAMPS"]}, headers=h)):
    for who, code in ((AUTH, "PERMISSION_DENIED"), ({"authorization": "Bearer admin"}, "FAILED_PRECONDITION")):
        try:
            change(who)
        except InferenceServerException as e:
            assert e.status() == "StatusCode." + code, e
        else:
            raise AssertionError("a setting was changed")

for what, (code, call) in {
    "unknown model": ("NOT_FOUND", lambda: client.infer("nosuch", [tensor("x", x, "FP32")], headers=AUTH)),
    "wrong datatype": ("INVALID_ARGUMENT", lambda: client.infer("sums", [tensor("x", x.astype(np.float64), "FP64")], headers=AUTH)),
    "nobody": ("UNAUTHENTICATED", lambda: client.infer("sums", [tensor("x", x, "FP32")])),
    "too large": ("RESOURCE_EXHAUSTED", lambda: client.infer("echo-fp64", [tensor("x", np.zeros(1 << 18), "FP64")], headers=AUTH)),
}.items():
    try:
        call()
    except InferenceServerException as e:
        assert e.status() == "StatusCode." + code, e
        print(what, e.status(), e.message())
    else:
        raise AssertionError(what + " was answered")

done = queue.Queue()
for _ in range(8):
    client.async_infer("sums", [tensor("x", x, "FP32")], headers=AUTH, callback=lambda result, error: done.put((result, error)))
for _ in range(8):
    result, error = done.get(timeout=30)
    assert error is None and (result.as_numpy("n") == [2]).all(), error
client.close()


async def ask():
    async with aio.InferenceServerClient(sys.argv[1]) as c:
        assert await c.is_server_live() and await c.is_model_ready("sums", headers=AUTH)
        answers = await asyncio.gather(*(c.infer("sums", [tensor("x", x + k, "FP32")], headers=AUTH) for k in range(32)))
        for k, r in enumerate(answers):
            assert (r.as_numpy("y") == [[3 + 2 * k], [7.5 + 2 * k]]).all(), k

        async def requests():
            for k in range(20):
                yield {"model_name": "sums", "inputs": [tensor("x", x + k, "FP32")], "request_id": str(k)}

        k = 0
        async for result, error in c.stream_infer(requests(), headers=AUTH):
            assert error is None and result.get_response().id == str(k) and result.get_response().parameters["triton_final_response"].bool_param, error
            k += 1
        assert k == 20


asyncio.run(ask())

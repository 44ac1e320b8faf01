"""Asks a server by the real tritonclient and fails loudly. Argument: host:port."""

import asyncio
import os
import sys

import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as aio
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

client = http.InferenceServerClient(sys.argv[1])


def auth():
    return {"Authorization": "Bearer x"}  # a new one each time: the client writes into it


assert client.is_server_live() and client.is_server_ready()
assert client.get_server_metadata()["name"] == "edgeward"
assert client.is_model_ready("sums", headers=auth()) and client.is_model_ready("sums", "2", headers=auth())
assert not client.is_model_ready("nosuch", headers=auth())
meta = client.get_model_metadata("sums", headers=auth())
assert meta["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], meta

x = np.array([[1, 2], [3, 4.5]], np.float32)
for binary in (True, False):
    i = http.InferInput("x", [2, 2], "FP32")
    i.set_data_from_numpy(x, binary_data=binary)
    for outputs in (None, [http.InferRequestedOutput("y", binary_data=binary), http.InferRequestedOutput("n", binary_data=not binary)]):
        r = client.infer("sums", [i], model_version="2", outputs=outputs, request_id="mine", headers=auth(),
                         parameters={"edgeward_event_time": "2022-07-01T00:00:00Z", "edgeward_key": "north"})
        assert (r.as_numpy("y") == [[3], [7.5]]).all(), r.as_numpy("y")
        assert (r.as_numpy("n") == [2]).all()
        a = r.get_response()
        assert a["id"] == "mine" and a["model_version"] == "2" and len(a["parameters"]["edgeward_prediction_id"]) == 26, a

words = np.array(["one", "", "drei \u00e9"], object)
for binary in (True, False):
    i = http.InferInput("x", [3], "BYTES")
    i.set_data_from_numpy(words, binary_data=binary)
    got = client.infer("texts", [i], outputs=[http.InferRequestedOutput("x", binary_data=True)], headers=auth()).as_numpy("x")
    assert [w.decode() for w in got] == list(words), got

for name, dtype in (("bool", bool), ("uint64", np.uint64), ("int8", np.int8), ("fp16", np.float16), ("fp64", np.float64)):
    v = np.array([1, 0, 1], dtype)
    i = http.InferInput("x", [3], name.upper())
    i.set_data_from_numpy(v)
    got = client.infer("echo-" + name, [i], headers=auth()).as_numpy("x")
    assert got.dtype == v.dtype and (got == v).all(), (name, got)

big = np.arange(4096, dtype=np.float64)
for up in (None, "gzip", "deflate"):
    for down in (None, "gzip", "deflate"):
        large = http.InferInput("x", [4096], "FP64")
        large.set_data_from_numpy(big)
        r = client.infer("echo-fp64", [large], headers=auth(), request_compression_algorithm=up, response_compression_algorithm=down, priority=2, timeout=10_000_000)
        assert (r.as_numpy("x") == big).all(), (up, down)
r = client.infer("echo-fp64", [large], headers=auth(), outputs=[http.InferRequestedOutput("x", binary_data=True, class_count=2)])
assert list(r.as_numpy("x")) == [b"4095.000000:4095", b"4094.000000:4094"], r.as_numpy("x")

memory = shm.create_shared_memory_region("tensors", "/edgeward-rest-%d" % os.getpid(), 64)
try:
    shm.set_shared_memory_region(memory, [x])
    kept = auth()  # and goes on with what the client wrote into it
    i = http.InferInput("x", [2, 2], "FP32")
    i.set_data_from_numpy(x)
    client.infer("sums", [i], headers=kept)
    assert "Inference-Header-Content-Length" in kept
    client.unregister_system_shared_memory(headers=kept)
    client.unregister_cuda_shared_memory(headers=kept)
    client.register_system_shared_memory("tensors", "/edgeward-rest-%d" % os.getpid(), 64, headers=kept)
    assert client.get_system_shared_memory_status(headers=auth())[0]["byte_size"] == 64
    i = http.InferInput("x", [2, 2], "FP32")
    i.set_shared_memory("tensors", 16)
    o = http.InferRequestedOutput("y", binary_data=True)
    o.set_shared_memory("tensors", 8, offset=32)
    r = client.infer("sums", [i], outputs=[o, http.InferRequestedOutput("n", binary_data=True)], headers=auth())
    assert (shm.get_contents_as_numpy(memory, np.float32, [2, 1], offset=32) == [[3], [7.5]]).all() and (r.as_numpy("n") == [2]).all()
    client.unregister_system_shared_memory("tensors", headers=auth())
finally:
    shm.destroy_shared_memory_region(memory)
for k in range(3):
    i = http.InferInput("x", [2, 2], "FP32")
    i.set_data_from_numpy(x)
    client.infer("sums", [i], headers=auth(), sequence_id=5, sequence_start=k == 0, sequence_end=k == 2)

config = client.get_model_config("sums", headers=auth())
assert config["max_batch_size"] == 0 and config["input"][0]["data_type"] == "TYPE_FP32" and config["backend"] == "onnxruntime", config
stats = client.get_inference_statistics("sums", "1", headers=auth())["model_stats"]
assert stats[0]["inference_stats"]["success"] == {"count": 3, "ns": 30000} and stats[0]["inference_count"] == 6, stats
assert client.get_inference_statistics(headers=auth())["model_stats"] == stats
assert [(m["name"], m["state"]) for m in client.get_model_repository_index(headers=auth())] == [("sums", "READY"), ("sums", "UNAVAILABLE")]
client.load_model("new", headers=auth(), config='{"backend": "onnxruntime"}', files={"file:1/model.onnx": b"abc"})
client.unload_model("new", headers=auth())
assert client.get_trace_settings(headers=auth())["trace_level"] == ["OFF"]
assert client.get_log_settings(headers=auth())["log_info"] is True



async def ask():
    async with aio.InferenceServerClient(sys.argv[1]) as c:
        assert await c.is_server_live() and (await c.get_server_metadata())["name"] == "edgeward"
        for r in await asyncio.gather(*(c.infer("echo-fp64", [large], headers=auth()) for _ in range(32))):
            assert (r.as_numpy("x") == big).all()
        assert (await c.get_model_metadata("sums", headers=auth()))["name"] == "sums"


asyncio.run(ask())

for what, call in {
    "unknown model": lambda: client.infer("nosuch", [i], headers=auth()),
    "wrong datatype": lambda: client.infer("sums", [large], headers=auth()),
    "nobody": lambda: client.infer("echo-fp64", [large]),
}.items():
    try:
        call()
    except InferenceServerException as e:
        print(what, e.status(), e.message())
    else:
        raise AssertionError(what + " was answered")

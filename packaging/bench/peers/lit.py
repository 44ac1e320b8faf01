# LitServe: MODEL PORT BATCH (1: requests are not joined).
import sys

import litserve
import numpy as np

from engine import session

model, port, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class API(litserve.LitAPI):
    def setup(self, device):
        self.session = session(model)

    def decode_request(self, request):
        t = request["inputs"][0]
        return np.asarray(t["data"], np.float32).reshape(t["shape"])

    def batch(self, rows):
        return np.concatenate(rows)

    def predict(self, x):
        return self.session.run(None, {"x": x})[0]

    def unbatch(self, answer):
        return [row[None] for row in answer]

    def encode_response(self, y):
        return {"outputs": [{"name": "y", "shape": list(y.shape), "datatype": "FP32", "data": y.ravel().tolist()}]}


if __name__ == "__main__":
    joined = {"max_batch_size": batch, "batch_timeout": 0.002} if batch > 1 else {}
    server = litserve.LitServer(API(api_path="/predict", **joined), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False, log_level="error", access_log=False)

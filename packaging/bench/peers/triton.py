# A model of Triton's Python backend: all requests that Triton hands over together are one run.
import json

import numpy as np
import triton_python_backend_utils as pb

from engine import session


class TritonPythonModel:
    def initialize(self, args):
        self.session = session(json.loads(args["model_config"])["parameters"]["onnx"]["string_value"])

    def execute(self, requests):
        rows = [pb.get_input_tensor_by_name(r, "x").as_numpy() for r in requests]
        answer = self.session.run(None, {"x": rows[0] if len(rows) == 1 else np.concatenate(rows)})[0]
        responses, at = [], 0
        for r in rows:
            responses.append(pb.InferenceResponse([pb.Tensor("y", answer[at:at + len(r)])]))
            at += len(r)
        return responses

# MLServer's own ONNX runtime is not on PyPI; this is the least that one would be.
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

from engine import session


class Model(MLModel):
    async def load(self):
        self.session = session(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", self.session.run(None, {"x": x})[0])])

# BentoML: MODEL and BATCH (1: requests are not joined) come by the environment, because bentoml serve imports this file.
import os

import bentoml
import numpy as np

from engine import session

BATCH = int(os.environ["BATCH"])


@bentoml.service(workers=1, traffic={"timeout": 30, "max_concurrency": 1000}, logging={"access": {"enabled": False}})
class Service:
    def __init__(self):
        self.session = session(os.environ["MODEL"])

    @bentoml.api(batchable=BATCH > 1, max_batch_size=max(BATCH, 2), max_latency_ms=10000)
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"x": x.astype(np.float32)})[0]

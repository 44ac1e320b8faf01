# Writes MODEL.onnx as an MLflow model of the onnx flavour into the folder DIR.
import sys

import mlflow.onnx
import onnx

mlflow.onnx.save_model(onnx.load(sys.argv[1]), sys.argv[2], onnx_execution_providers=["CPUExecutionProvider"],
                       onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1,
                                             "extra_session_config": {"session.intra_op.allow_spinning": "0"}})

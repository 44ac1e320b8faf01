// Package modelfile tells what a model file or folder is, and makes of it what an engine can load.
//
// # What comes in
//
// Unpack takes the bytes that a client sent, one file or an archive (.zip, .tar, .tar.gz), into a folder. Everything in
// an archive is bounded: entries, bytes after unpacking, length of names. Links, devices and names that leave the folder
// are refused, with the archive.
//
// # What comes out
//
// Detect looks at the folder, never at names alone, and answers the format, the files that belong to the model (no others
// are kept) and what the model says of itself:
//
//	ONNX                 one file, or one and the files with its weights, all below the folder
//	OpenVINO IR          NAME.xml and NAME.bin
//	TensorFlow           SavedModel folder, or a frozen graph
//	TFLite               one file
//	PaddlePaddle         NAME.pdmodel and NAME.pdiparams
//	LightGBM             model text: converted to ONNX here
//	XGBoost              model in JSON or UBJ: converted to ONNX here
//	MLflow               folder with MLmodel and the flavour onnx, lightgbm or xgboost
//
// A converted model keeps its source file beside the graph. What is something else, and known, is refused by its name: a
// pickle, a PyTorch or Keras file, and so on; errors are Invalid "model.format" with a hint what to do, "model.incomplete" when
// a part is missing, and those of runtime/onnxgraph.
//
// Nothing of a model is run here, and nothing here opens a file outside the folder: it is an os.Root.
package modelfile

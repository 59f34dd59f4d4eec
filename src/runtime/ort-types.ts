/** What this project uses of ONNX Runtime; the packages for Node and for browsers both offer it. */
export { env, InferenceSession, Tensor } from "onnxruntime-common";

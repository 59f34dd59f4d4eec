/** Prints the processor's peak as ONNX Runtime reaches it, as one JSON line. Run by run.ts. */
import { matrixPeak } from "../peak.ts";

const { threads }: { threads: number } = JSON.parse(process.argv[2]!);
console.log(JSON.stringify({ event: "gemm", gflops: await matrixPeak(threads) }));

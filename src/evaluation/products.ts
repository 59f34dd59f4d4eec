import { encode } from "../graph/encode.ts";
import { gemm } from "../graph/ops/product.ts";
import { input } from "../graph/value.ts";
import type { Runtime, Session } from "../runtime/runtime.ts";
import { type Tensor, tensor } from "../tensor/tensor.ts";

/** A matrix in float64. */
export type Matrix = Tensor<"float64">;

/** Joins numbers and shape. @throws ShapeError when they do not fit */
export function matrix(rows: number, columns: number, data: Float64Array): Matrix {
  return tensor("float64", [rows, columns], data);
}

/** Products of matrices in float64. They own memory outside the collector's sight until they are disposed. */
export interface Products {
  /** a times b, with either turned first where told. @throws RuntimeFailure */
  multiply(a: Matrix, b: Matrix, turned?: { readonly a?: boolean; readonly b?: boolean }): Promise<Matrix>;
  dispose(): Promise<void>;
}

/** Sessions that are kept: products of sets of pictures come in few shapes. */
const mostSessions = 16;

/** Products by a runtime: ONNX Runtime multiplies float64 matrices with all threads. */
export function runtimeProducts(runtime: Runtime): Products {
  const sessions = new Map<string, Session>();
  return {
    async multiply(a, b, turned = {}) {
      const key = `${a.shape.join("x")} ${b.shape.join("x")} ${turned.a === true} ${turned.b === true}`;
      let session = sessions.get(key);
      if (session === undefined) {
        const [x, y] = [input("a", a.shape, "float64"), input("b", b.shape, "float64")];
        const product = gemm(x, y, undefined, { transposeA: turned.a ?? false, transposeB: turned.b ?? false });
        session = await runtime.compile(encode({ product }));
        const oldest = sessions.keys().next().value;
        if (sessions.size >= mostSessions && oldest !== undefined) {
          await sessions.get(oldest)?.dispose();
          sessions.delete(oldest);
        }
      } else sessions.delete(key);
      sessions.set(key, session);
      return (await session.run({ a, b }))["product"] as Matrix;
    },
    async dispose() {
      for (const session of sessions.values()) await session.dispose();
      sessions.clear();
    },
  };
}

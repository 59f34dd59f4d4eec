import { ShapeError } from "../../errors.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { expectRank } from "../shapes.ts";
import type { Value } from "../value.ts";

/** Each position becomes a 2x2 block. Maps `[channels, batch, height, width]`. */
export const upsampleOperation: OperationDefinition<"upsample", null> = define({
  kind: "upsample",
  infer: ([x]) => {
    expectRank("upsample", x!, 4, "feature maps [channels, batch, height, width]");
    const [c, n, h, w] = x!.shape as [number, number, number, number];
    return [{ type: x!.type, shape: [c, n, 2 * h, 2 * w] }];
  },
  emit: (emitter, [x], outputs) => {
    const scales = emitter.constant({ type: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) });
    emitter.node("Resize", [x!, "", scales], outputs, {
      mode: { string: "nearest" },
      coordinate_transformation_mode: { string: "asymmetric" },
      nearest_mode: { string: "floor" },
    });
  },
});

/** Sums each 2x2 block: the adjoint of `upsample`. */
export const sumPoolOperation: OperationDefinition<"sumPool", null> = define({
  kind: "sumPool",
  infer: ([x]) => {
    expectRank("sumPool", x!, 4, "feature maps [channels, batch, height, width]");
    const [c, n, h, w] = x!.shape as [number, number, number, number];
    if (h % 2 !== 0 || w % 2 !== 0) throw new ShapeError("sumPool", "an even height and width", [x!.shape]);
    return [{ type: x!.type, shape: [c, n, h / 2, w / 2] }];
  },
  emit: (emitter, [x], outputs) => {
    const mean = emitter.fresh("AveragePool", [x!], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } });
    const four = emitter.constant({ type: "float32", shape: [], data: Float32Array.of(4) });
    emitter.node("Mul", [mean, four], outputs);
  },
});

/** Nearest-neighbour upsampling by two of maps `[channels, batch, height, width]`. @throws ShapeError */
export function upsample(x: Value): Value {
  return apply1(upsampleOperation, [x], null);
}

/** Sum over 2x2 blocks of maps `[channels, batch, height, width]`. @throws ShapeError */
export function sumPool(x: Value): Value {
  return apply1(sumPoolOperation, [x], null);
}

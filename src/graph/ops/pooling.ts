import { ShapeError } from "../../errors.ts";
import type { Emitter } from "../emitter.ts";
import { apply1, define, type OperationDefinition } from "../operation.ts";
import { expectRank } from "../shapes.ts";
import type { Value } from "../value.ts";

export interface PoolAttributes {
  readonly kernel: number;
  readonly stride: number;
  /** Positions beyond the map at the top, left, bottom and right; they have no part in maximum and mean. */
  readonly pads: readonly [number, number, number, number];
}

function pooling<const K extends string>(
  kind: K,
  emit: (emitter: Emitter, x: string, y: string, attributes: PoolAttributes) => void,
): OperationDefinition<K, PoolAttributes> {
  return define({
    kind,
    infer: ([x], { kernel, stride, pads: [top, left, bottom, right] }) => {
      expectRank(kind, x!, 4, "feature maps [channels, batch, height, width]");
      const [c, n, h, w] = x!.shape as [number, number, number, number];
      const size = (extent: number, pad: number): number => Math.floor((extent + pad - kernel) / stride) + 1;
      const [height, width] = [size(h, top + bottom), size(w, left + right)];
      if (height < 1 || width < 1) throw new ShapeError(kind, `maps no smaller than the window ${kernel}`, [x!.shape]);
      return [{ type: x!.type, shape: [c, n, height, width] }];
    },
    emit: (emitter, [x], [y], attributes) => emit(emitter, x!, y!, attributes),
  });
}

const window = ({ kernel, stride, pads }: PoolAttributes): Record<string, { readonly ints: readonly number[] }> => ({
  kernel_shape: { ints: [kernel, kernel] },
  strides: { ints: [stride, stride] },
  pads: { ints: pads },
});

/** The largest of each window. */
export const maxPoolOperation: OperationDefinition<"maxPool", PoolAttributes> = pooling(
  "maxPool",
  (emitter, x, y, attributes) => emitter.node("MaxPool", [x], [y], window(attributes)),
);

/** The mean of each window's positions within the map. */
export const averagePoolOperation: OperationDefinition<"averagePool", PoolAttributes> = pooling(
  "averagePool",
  (emitter, x, y, attributes) =>
    emitter.node("AveragePool", [x], [y], { ...window(attributes), count_include_pad: { int: 0 } }),
);

/** What people write: a square window, its stride and the same padding on all sides. */
export interface PoolOptions {
  readonly kernel: number;
  readonly stride: number;
  readonly padding?: number;
  /** A last window that reaches beyond the map counts too: torch's `ceil_mode`. */
  readonly partial?: boolean;
}

function attributesOf(x: Value, { kernel, stride, padding = 0, partial = false }: PoolOptions): PoolAttributes {
  const beyond = (extent: number): number => {
    if (!partial) return padding;
    let windows = Math.ceil((extent + 2 * padding - kernel) / stride) + 1;
    // A window that begins beyond the map holds nothing.
    if ((windows - 1) * stride >= extent + padding) windows--;
    return Math.max(padding, (windows - 1) * stride + kernel - extent - padding);
  };
  const [height = 1, width = 1] = x.shape.slice(2);
  return { kernel, stride, pads: [padding, padding, beyond(height), beyond(width)] };
}

/** The largest of each window of maps `[channels, batch, height, width]`. @throws ShapeError */
export function maxPool(x: Value, options: PoolOptions): Value {
  return apply1(maxPoolOperation, [x], attributesOf(x, options));
}

/** The mean of each window of maps `[channels, batch, height, width]`; padding does not count. @throws ShapeError */
export function averagePool(x: Value, options: PoolOptions): Value {
  return apply1(averagePoolOperation, [x], attributesOf(x, options));
}

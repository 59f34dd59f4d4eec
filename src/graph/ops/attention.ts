import { ShapeError } from "../../errors.ts";
import type { Value } from "../value.ts";
import { add } from "./arithmetic.ts";
import { cast } from "./elementwise.ts";
import { matmul } from "./product.ts";
import { softmax } from "./reduction.ts";
import { reshape, transpose } from "./structure.ts";

export interface AttentionOptions {
  readonly heads: number;
  readonly batch: number;
  /** Added to the scores `[batch, heads, queries, keys]`, broadcasting: minus infinity where looking is forbidden. */
  readonly mask?: Value;
  /** Scores and their softmax in float32, where float16 would overflow; no, unless told. */
  readonly upcast?: boolean;
}

/**
 * softmax(q k^T / sqrt(d)) v for each head.
 * @param q `[batch * queries, heads * d]`; k and v `[batch * keys, heads * d]`; the result is shaped like q.
 * @throws ShapeError
 */
export function attention(
  q: Value,
  k: Value,
  v: Value,
  { heads, batch, mask, upcast = false }: AttentionOptions,
): Value {
  const width = q.shape[1]!;
  if (q.shape.length !== 2 || width % heads !== 0 || q.shape[0]! % batch !== 0) {
    throw new ShapeError("attention", `queries that divide into ${heads} heads and ${batch} pictures`, [q.shape]);
  }
  if (k.shape[1] !== width || v.shape[1] !== width || k.shape[0] !== v.shape[0] || k.shape[0]! % batch !== 0) {
    throw new ShapeError("attention", "keys and values that fit the queries", [q.shape, k.shape, v.shape]);
  }
  const size = width / heads;
  const byHead = (x: Value): Value => transpose(reshape(x, [batch, x.shape[0]! / batch, heads, size]), [0, 2, 1, 3]);
  const precise = (x: Value): Value => (upcast ? cast(x, "float32") : x);
  const raw = matmul(precise(byHead(q)), precise(byHead(k)), { transposeB: true, alpha: 1 / Math.sqrt(size) });
  const weights = cast(softmax(mask === undefined ? raw : add(raw, mask)), v.type);
  return reshape(transpose(matmul(weights, byHead(v)), [0, 2, 1, 3]), q.shape);
}

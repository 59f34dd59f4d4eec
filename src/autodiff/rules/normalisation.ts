import { add, mul, scale, sub } from "../../graph/ops/arithmetic.ts";
import { groupNormOfBatch } from "../../graph/ops/normalisation.ts";
import { reduceSum } from "../../graph/ops/reduction.ts";
import { reshape } from "../../graph/ops/structure.ts";
import { whole } from "../broadcast.ts";
import { localPullback } from "../pullback.ts";
import type { Rule } from "../rule.ts";

/**
 * With x^ = (x - mean) / deviation and h = g gamma: dx = (h - mean(h) - x^ mean(h x^)) / deviation.
 * Second derivatives also reach x through the statistics: d mean = 1 / width, d (1 / deviation) = -x^ / (deviation^2 width).
 */
export const layerNormRule: Rule<"layerNorm"> = (
  g,
  { inputs: [x, gamma], outputs: [y, mean, inverse], wants, gradients },
) => {
  const width = x!.shape[x!.shape.length - 1]!;
  const last = [x!.shape.length - 1];
  const full = whole(g, y!.shape);
  const normal = mul(sub(x!, mean!), inverse!);
  const h = mul(full, gamma!);
  const rows = x!.shape.slice(0, -1).map((_, i) => i);
  const perFeature = (value: typeof g): typeof g =>
    reshape(rows.length === 0 ? value : reduceSum(value, rows), [width]);
  const [, gMean, gInverse] = gradients;
  const throughStatistics = (dx: typeof g): typeof g => {
    const withMean = gMean === undefined ? dx : add(dx, scale(gMean, 1 / width));
    if (gInverse === undefined) return withMean;
    return sub(withMean, mul(normal, scale(mul(gInverse, mul(inverse!, inverse!)), 1 / width)));
  };
  const dx = (): typeof g => {
    const meanOfH = scale(reduceSum(h, last), 1 / width);
    const meanOfProduct = scale(reduceSum(mul(h, normal), last), 1 / width);
    return mul(sub(h, add(mul(normal, meanOfProduct), meanOfH)), inverse!);
  };
  return [
    wants[0] ? throughStatistics(dx()) : undefined,
    wants[1] ? perFeature(mul(full, normal)) : undefined,
    wants[2] ? perFeature(full) : undefined,
  ];
};

/** The runtime's kernel keeps no statistics: the gradient is that of the same arithmetic written out. */
export const groupNormRule: Rule<"groupNorm"> = (g, { inputs: [x, gamma, beta], outputs: [y], attributes }) =>
  localPullback([groupNormOfBatch(x!, gamma!, beta!, attributes)], [whole(g, y!.shape)], [x!, gamma!, beta!]);

import { barrier } from "../../graph/ops/barrier.ts";
import { substitute } from "../../graph/substitute.ts";
import { whole } from "../broadcast.ts";
import { localPullback } from "../pullback.ts";
import type { Rule } from "../rule.ts";

/** A barrier delays and changes nothing. */
export const barrierRule: Rule<"barrier"> = (g) => [g, undefined];

/**
 * Copies the sub-graph over inputs that wait for the gradient, and differentiates the copy. The first computation gets
 * no gradient, so that nothing holds its inner values; waiting inputs also differ from the first ones in the runtime's
 * eyes, which would else merge the copy with the original.
 */
export const recomputeRule: Rule<"recompute"> = (g, { inputs, outputs: [y], attributes, wants }) => {
  const { parameters, result, captured } = attributes;
  const waiting = inputs.slice(1, 1 + parameters.length).map((x) => barrier(x, g));
  const sources = [...waiting, ...inputs.slice(1 + parameters.length)];
  const copy = substitute(result, [...parameters, ...captured], sources);
  const wanted = [...new Set(sources.filter((_, i) => wants[i + 1]))];
  const gradients = localPullback([copy], [whole(g, y!.shape)], wanted);
  // A value that came in twice gets its whole gradient once.
  return [undefined, ...sources.map((x, i) => (sources.indexOf(x) === i ? gradients[wanted.indexOf(x)] : undefined))];
};

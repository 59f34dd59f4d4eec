/** Sum of squares of elements `begin` to `end`, in float64; the sums of all ranges add up to the squared global norm. */
export function sumOfSquares(gradients: Float32Array, begin: number, end: number): number {
  // Four sums that do not wait for one another.
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    const a = gradients[i]!;
    const b = gradients[i + 1]!;
    const c = gradients[i + 2]!;
    const d = gradients[i + 3]!;
    s0 += a * a;
    s1 += b * b;
    s2 += c * c;
    s3 += d * d;
  }
  for (; i < end; i++) s0 += gradients[i]! * gradients[i]!;
  return s0 + s1 + (s2 + s3);
}

/**
 * Factor that brings gradients of the given global L2 norm down to at most `maxNorm`: min(1, maxNorm / (norm + 1e-6)), as
 * `torch.nn.utils.clip_grad_norm_` has it; 1 where `maxNorm` is `Infinity`.
 */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}

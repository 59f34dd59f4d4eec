/** Above this cosine two tensors are mixed linearly: their angle is too small to divide by. */
const nearlyParallel = 0.9995;

/**
 * What two tensors are multiplied by to go from the first (t = 0) to the second (t = 1) along the great circle between
 * them: `sin((1 - t) angle) / sin(angle)` and `sin(t angle) / sin(angle)`; nearly parallel ones are mixed linearly.
 *
 * Shoemake 1985, for whole tensors.
 * @param cosine of the angle between the two
 */
export function slerpFactors(cosine: number, t: number): readonly [first: number, second: number] {
  if (!(Math.abs(cosine) <= nearlyParallel)) return [1 - t, t];
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  return [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

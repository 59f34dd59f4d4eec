/** Adds `addend * factor` to elements `begin` to `end` of `total`, in place. */
export function accumulate(
  total: Float32Array,
  addend: Float32Array,
  factor: number,
  begin: number,
  end: number,
): void {
  for (let i = begin; i < end; i++) total[i] = total[i]! + addend[i]! * factor;
}

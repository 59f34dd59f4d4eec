/**
 * Elements of a shape that a file claims; undefined where a product on the way is beyond the whole numbers that JavaScript
 * holds, as in shapes that no file can fill.
 */
export function claimedElements(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const n of shape) {
    count *= n;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
}

/** The strides, in elements, of elements that follow each other in row-major order. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let next = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = next;
    next *= shape[axis]!;
  }
  return strides;
}

/** Whether elements with these strides follow each other in row-major order; axes of one element may have any stride. */
export function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  const dense = rowMajorStrides(shape);
  return shape.includes(0) || shape.every((n, axis) => n === 1 || strides[axis] === dense[axis]);
}

/** Elements from the first to past the last that a strided view touches; 0 where it has none, perhaps Infinity. */
export function spannedElements(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, n, axis) => last + (n - 1) * strides[axis]!, 0) + 1;
}

/**
 * Copies a strided view of elements of `size` bytes into row-major order. `bytes` begin at its first element and hold all of
 * them (see `spannedElements`).
 */
export function gather(
  bytes: Uint8Array,
  shape: readonly number[],
  strides: readonly number[],
  size: number,
): Uint8Array {
  const count = shape.reduce((product, n) => product * n, 1);
  const dense = new Uint8Array(count * size);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    for (let b = 0; b < size; b++) dense[to * size + b] = bytes[from * size + b]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return dense;
}

/** A matrix in float64, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** A matrix of numbers, or of zeros; numbers of other types are copied. */
export function matrix(rows: number, columns: number, data?: Float64Array | Float32Array): Matrix {
  if (data instanceof Float32Array) return { rows, columns, data: Float64Array.from(data) };
  return { rows, columns, data: data ?? new Float64Array(rows * columns) };
}

/** A matrix's columns as rows. */
export function transpose({ rows, columns, data }: Matrix): Matrix {
  const turned = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!;
  }
  return { rows: columns, columns: rows, data: turned };
}

/** The columns from the first up to `count`. */
export function firstColumns({ rows, columns, data }: Matrix, count: number): Matrix {
  const kept = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) kept.set(data.subarray(i * columns, i * columns + count), i * count);
  return { rows, columns: count, data: kept };
}

/** Sum of the squares of all elements: the square of the Frobenius norm. */
export function squaredNorm(data: Float64Array | Float32Array): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return sum;
}

/** Columns worked on at a time, so that this part of the second factor stays in the processor's cache. */
const columnBlock = 1024;

/** a b. Rows of b are added four at a time, so that each sum is loaded and stored once for four products. */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const { rows, columns: depth } = a;
  const { columns } = b;
  const out = new Float64Array(rows * columns);
  const [x, y] = [a.data, b.data];
  for (let from = 0; from < columns; from += columnBlock) {
    const to = Math.min(from + columnBlock, columns);
    for (let i = 0; i < rows; i++) {
      const sums = i * columns;
      const row = i * depth;
      let k = 0;
      for (; k + 4 <= depth; k += 4) {
        const [x0, x1, x2, x3] = [x[row + k]!, x[row + k + 1]!, x[row + k + 2]!, x[row + k + 3]!];
        const y0 = k * columns;
        const y1 = y0 + columns;
        const y2 = y1 + columns;
        const y3 = y2 + columns;
        for (let j = from; j < to; j++) {
          out[sums + j]! += x0 * y[y0 + j]! + x1 * y[y1 + j]! + x2 * y[y2 + j]! + x3 * y[y3 + j]!;
        }
      }
      for (; k < depth; k++) {
        const x0 = x[row + k]!;
        const y0 = k * columns;
        for (let j = from; j < to; j++) out[sums + j]! += x0 * y[y0 + j]!;
      }
    }
  }
  return { rows, columns, data: out };
}

/** a b', the products of a's rows with b's rows; both have one number of columns. */
export function multiplyTransposed(a: Matrix, b: Matrix): Matrix {
  const { rows, columns: depth } = a;
  const columns = b.rows;
  const out = new Float64Array(rows * columns);
  const [x, y] = [a.data, b.data];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const [p, q] = [i * depth, j * depth];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      let k = 0;
      for (; k + 4 <= depth; k += 4) {
        s0 += x[p + k]! * y[q + k]!;
        s1 += x[p + k + 1]! * y[q + k + 1]!;
        s2 += x[p + k + 2]! * y[q + k + 2]!;
        s3 += x[p + k + 3]! * y[q + k + 3]!;
      }
      for (; k < depth; k++) s0 += x[p + k]! * y[q + k]!;
      out[i * columns + j] = s0 + s1 + s2 + s3;
    }
  }
  return { rows, columns, data: out };
}

/** a' b, the products of a's columns with b's columns; both have one number of rows. */
export function transposedMultiply(a: Matrix, b: Matrix): Matrix {
  return multiply(transpose(a), b);
}

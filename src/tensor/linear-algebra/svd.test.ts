import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Mt19937 } from "../random/mt19937.ts";
import {
  firstColumns,
  type Matrix,
  matrix,
  multiply,
  multiplyTransposed,
  transpose,
  transposedMultiply,
} from "./matrix.ts";
import { qr } from "./qr.ts";
import { svd } from "./svd.ts";
import { truncatedSvd } from "./truncated-svd.ts";

const random = (rows: number, columns: number, seed = 1): Matrix =>
  matrix(rows, columns, new Mt19937(seed).randn(rows * columns));

function expectClose(a: Matrix, b: Matrix, tolerance = 1e-12): void {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  expect(Math.max(...a.data.map((x, i) => Math.abs(x - b.data[i]!)))).toBeLessThan(tolerance);
}

const identity = (size: number): Matrix => {
  const one = matrix(size, size);
  for (let i = 0; i < size; i++) one.data[i * size + i] = 1;
  return one;
};

const scaled = ({ rows, columns, data }: Matrix, values: Float64Array): Matrix =>
  matrix(
    rows,
    columns,
    Float64Array.from(data, (x, i) => x * values[i % columns]!),
  );

describe("products", () => {
  it("agree with each other and with a product by hand", () => {
    const [a, b] = [random(7, 11), random(11, 13, 2)];
    const product = multiply(a, b);
    let first = 0;
    for (let k = 0; k < 11; k++) first += a.data[2 * 11 + k]! * b.data[k * 13 + 5]!;
    expect(product.data[2 * 13 + 5]).toBeCloseTo(first, 12);
    expectClose(multiplyTransposed(a, transpose(b)), product);
    expectClose(transposedMultiply(transpose(a), b), product);
  });

  it("span more columns than are worked on at a time", () => {
    const [a, b] = [random(2, 5), random(5, 2500, 2)];
    expectClose(multiply(a, b), multiplyTransposed(a, transpose(b)));
  });
});

describe("qr", () => {
  it.each([
    [30, 8],
    [8, 30],
    [12, 12],
  ])("gives back a matrix of %i by %i, with orthonormal columns and a triangle", (rows, columns) => {
    const a = random(rows, columns);
    const { q, r } = qr(a);
    expectClose(multiply(q, r), a);
    expectClose(transposedMultiply(q, q), identity(Math.min(rows, columns)));
    for (let i = 0; i < r.rows; i++) for (let j = 0; j < i; j++) expect(r.data[i * columns + j]).toBe(0);
  });

  it("keeps Q orthonormal where columns repeat or are zero", () => {
    const a = random(20, 3);
    const doubled = matrix(20, 7);
    for (let i = 0; i < 20; i++)
      doubled.data.set([...a.data.subarray(3 * i, 3 * i + 3), 0, ...a.data.subarray(3 * i, 3 * i + 3)], 7 * i);
    const { q, r } = qr(doubled);
    expectClose(transposedMultiply(q, q), identity(7));
    expectClose(multiply(q, r), doubled);
  });
});

describe("svd", () => {
  it.each([
    [30, 8],
    [8, 30],
    [12, 12],
    [5, 1],
  ])("gives back a matrix of %i by %i", (rows, columns) => {
    const a = random(rows, columns);
    const { u, values, v } = svd(a);
    expectClose(multiplyTransposed(scaled(u, values), v), a);
    expectClose(transposedMultiply(u, u), identity(Math.min(rows, columns)));
    expectClose(transposedMultiply(v, v), identity(Math.min(rows, columns)));
    expect([...values]).toEqual([...values].sort((x, y) => y - x));
  });

  it("finds small singular values to full precision", () => {
    const [u, v] = [qr(random(20, 4)).q, qr(random(9, 4, 2)).q];
    const values = Float64Array.of(1, 1e-3, 1e-6, 1e-9);
    const found = svd(multiplyTransposed(scaled(u, values), v));
    for (let i = 0; i < 4; i++) expect(Math.abs(found.values[i]! - values[i]!)).toBeLessThan(1e-15);
  });

  it("takes zeros", () => {
    expect([...svd(matrix(4, 3)).values]).toEqual([0, 0, 0]);
  });
});

describe("truncatedSvd", () => {
  const a = (() => {
    const values = Float64Array.from({ length: 60 }, (_, i) => 0.8 ** i);
    return multiplyTransposed(scaled(qr(random(200, 60)).q, values), qr(random(150, 60, 2)).q);
  })();

  it("finds the largest singular values and their vectors", () => {
    const exact = svd(a);
    const { u, values, v, error, norm } = truncatedSvd(a, { rank: 10 });
    for (let i = 0; i < 10; i++) expect(Math.abs(values[i]! - 0.8 ** i)).toBeLessThan(1e-9);
    const best = multiplyTransposed(firstColumns(scaled(exact.u, exact.values), 10), firstColumns(exact.v, 10));
    expectClose(multiplyTransposed(scaled(u, values), v), best, 1e-6);
    expect(error / norm).toBeCloseTo(0.8 ** 10, 6);
  });

  it("keeps as many as an energy needs", () => {
    const { values, error, norm } = truncatedSvd(a, { energy: 0.99 });
    expect(values.length).toBe(11);
    expect((error / norm) ** 2).toBeLessThan(0.01);
    expect(truncatedSvd(a, { energy: 0.99, mostRank: 4 }).values.length).toBe(4);
    expect(truncatedSvd(a, { energy: 1 - 1e-11 }).values.length).toBeGreaterThan(50);
  });

  it("agrees with torch's singular values", async () => {
    const { decodeSafetensors } = await import("../../formats/safetensors.ts");
    const file = "test/fixtures/arithmetic/merges.safetensors";
    const fixture = decodeSafetensors(readFileSync(file), file);
    const noisy = matrix(40, 30, fixture.get("noisy")!.data as Float64Array);
    const wanted = fixture.get("noisy.values")!.data as Float64Array;
    const { values } = svd(noisy);
    for (let i = 0; i < 30; i++) expect(Math.abs(values[i]! - wanted[i]!)).toBeLessThan(1e-12);
  });
});

/** Bytes of pictures as planes, and the resizings that published measures prescribe. All work on numbers from 0 to 255. */
import { ShapeError } from "../errors.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";

/**
 * How a picture is brought to a network's size:
 *
 * - `tensorflow`: bilinear as TensorFlow 1 has it, without antialiasing and with corners at 0: the reference of the Frechet
 *   inception distance, kept by torch-fidelity
 * - `torch`: bilinear between pixel centres without antialiasing: pytorch-fid
 * - `pillow`: bicubic with antialiasing, in float32: clean-fid
 * - `pillow-bytes`: the same, rounded to bytes after each pass: Pillow on bytes, as CLIP and torchvision have it
 * - `pillow-bilinear-bytes`: bilinear with antialiasing, rounded to bytes: Pillow on bytes
 */
export type Resizing = "tensorflow" | "torch" | "pillow" | "pillow-bytes" | "pillow-bilinear-bytes";

/** Weights of one output position: `weights[i]` is that of the input at `start + i`. */
interface Taps {
  readonly start: number;
  readonly weights: Float64Array;
}

/** The cubic of Keys with a = -0.5, as Pillow has it. */
function cubic(x: number): number {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** A filter of given reach, widened where the picture shrinks; weights add up to 1. */
function filtered(from: number, to: number, filter: (x: number) => number, reach: number): Taps[] {
  const step = from / to;
  const widening = Math.max(1, step);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * step;
    const start = Math.max(0, Math.trunc(centre - reach * widening + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach * widening + 0.5));
    const raw = Float64Array.from({ length: end - start }, (_, k) => filter((start + k - centre + 0.5) / widening));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { start, weights: raw.map((w) => w / sum) };
  });
}

/** Between two neighbours; `place` says where an output position lies among the inputs, in float32 as the references have it. */
function between(from: number, to: number, place: (i: number, step: number) => number): Taps[] {
  const step = Math.fround(from / to);
  return Array.from({ length: to }, (_, i) => {
    const x = Math.fround(Math.max(0, place(i, step)));
    const start = Math.min(Math.floor(x), from - 1);
    const share = Math.fround(x - start);
    const weights = start + 1 < from ? Float64Array.of(Math.fround(1 - share), share) : Float64Array.of(1);
    return { start, weights };
  });
}

/** Bits that Pillow gives to the fractions of its weights where it works on bytes. */
const fixed = 2 ** 22;

/** Weights as whole numbers of 2^-22. */
function fixedPoint(taps: readonly Taps[]): Taps[] {
  return taps.map(({ start, weights }) => ({
    start,
    weights: weights.map((w) => Math.trunc(w * fixed + (w < 0 ? -0.5 : 0.5))),
  }));
}

/** What a sum of bytes by such weights is as a byte. */
const fromFixed = (sum: number): number => Math.min(255, Math.max(0, Math.floor((sum + fixed / 2) / fixed)));

const tapsOf: Readonly<Record<Resizing, (from: number, to: number) => Taps[]>> = {
  tensorflow: (from, to) => between(from, to, (i, step) => i * step),
  // The reference multiplies and subtracts with one rounding.
  torch: (from, to) => between(from, to, (i, step) => (i + 0.5) * step - 0.5),
  pillow: (from, to) => filtered(from, to, cubic, 2),
  "pillow-bytes": (from, to) => fixedPoint(filtered(from, to, cubic, 2)),
  "pillow-bilinear-bytes": (from, to) => fixedPoint(filtered(from, to, triangle, 1)),
};

const toByte = (x: number): number => Math.min(255, Math.max(0, Math.floor(x + 0.5)));

/**
 * A picture `[3, height, width]` in [-1, 1] as the bytes that a file of it would hold, 0 to 255; what lies beyond is cut off.
 * @throws ShapeError when it has not three planes
 */
export function pictureBytes(picture: Tensor<"float32">): Tensor<"float32"> {
  if (picture.shape.length !== 3 || picture.shape[0] !== 3)
    throw new ShapeError("pictureBytes", "three planes [3, height, width]", [picture.shape]);
  return float32(
    picture.shape,
    picture.data.map((x) => toByte(127.5 * x + 127.5)),
  );
}

/**
 * Resizes planes `[planes, height, width]` of numbers from 0 to 255 (whole ones where the resizing is of bytes) to another height and width, first along the rows.
 * A picture that has the size already is returned as it is.
 */
export function resizePlanes(
  picture: Tensor<"float32">,
  height: number,
  width: number,
  resizing: Resizing,
): Tensor<"float32"> {
  const [planes, fromHeight, fromWidth] = picture.shape as [number, number, number];
  if (fromHeight === height && fromWidth === width) return picture;
  const rounded = resizing.endsWith("-bytes");
  const keep = rounded ? fromFixed : (x: number): number => x;
  const across = tapsOf[resizing](fromWidth, width);
  const down = tapsOf[resizing](fromHeight, height);
  const wide = new Float32Array(planes * fromHeight * width);
  for (let row = 0; row < planes * fromHeight; row++) {
    for (let x = 0; x < width; x++) {
      const { start, weights } = across[x]!;
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * picture.data[row * fromWidth + start + k]!;
      wide[row * width + x] = keep(sum);
    }
  }
  const out = new Float32Array(planes * height * width);
  for (let plane = 0; plane < planes; plane++) {
    for (let y = 0; y < height; y++) {
      const { start, weights } = down[y]!;
      const from = (plane * fromHeight + start) * width;
      const to = (plane * height + y) * width;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * wide[from + k * width + x]!;
        out[to + x] = keep(sum);
      }
    }
  }
  // Cubics overshoot.
  if (resizing === "pillow") for (let i = 0; i < out.length; i++) out[i] = Math.min(255, Math.max(0, out[i]!));
  return float32([planes, height, width], out);
}

/** The middle of planes `[planes, height, width]` that are no smaller than the wanted size. */
export function centreOf(picture: Tensor<"float32">, height: number, width: number): Tensor<"float32"> {
  const [planes, fromHeight, fromWidth] = picture.shape as [number, number, number];
  const [top, left] = [Math.floor((fromHeight - height) / 2), Math.floor((fromWidth - width) / 2)];
  const out = new Float32Array(planes * height * width);
  for (let row = 0; row < planes * height; row++) {
    const from = (Math.floor(row / height) * fromHeight + top + (row % height)) * fromWidth + left;
    out.set(picture.data.subarray(from, from + width), row * width);
  }
  return float32([planes, height, width], out);
}

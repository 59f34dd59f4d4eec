import { ShapeError } from "../errors.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";

type Floats = Tensor<"float32">;

/** From this value on, from 0 to 1, a mask's pixel is repainted. */
const repaintedFrom = 0.5;

/** Standard deviations of a Gaussian's reach; beyond it the blurred mask is exactly 0 or 1. */
const reach = 3;

/** A mask `[1, height, width]`, from 0 (keep) to 1 (repaint), as zeros and ones. */
export function binaryMask({ shape, data }: Floats): Floats {
  return { type: "float32", shape, data: data.map((x) => (x >= repaintedFrom ? 1 : 0)) };
}

/**
 * A binary mask `[1, height, width]` for latents, `[1, 1, h, w]`: a latent is repainted where any of its pixels is, so that
 * thin strokes are not lost and nothing old is left inside the mask.
 * @throws ShapeError when the mask's sides are no multiples of the latents'
 */
export function latentMask({ shape, data }: Floats, [h, w]: readonly [number, number]): Floats {
  const [, height, width] = shape as [number, number, number];
  const [down, across] = [height / h, width / w];
  if (!Number.isInteger(down) || !Number.isInteger(across)) {
    throw new ShapeError("latentMask", `a mask whose sides are multiples of ${h} and ${w}`, [shape]);
  }
  const out = filled([1, 1, h, w]);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x]! > 0) out.data[Math.floor(y / down) * w + Math.floor(x / across)] = 1;
    }
  }
  return out;
}

/**
 * A mask `[1, height, width]` with soft edges: convolved with a Gaussian of this standard deviation in pixels, its border
 * continued outwards. 0 leaves it as it is.
 */
export function blurredMask(mask: Floats, deviation: number): Floats {
  if (deviation === 0) return mask;
  const [, height, width] = mask.shape as [number, number, number];
  const weights = gaussian(deviation);
  const across = blurredLines(mask.data, { lines: height, length: width, lineStride: width, stride: 1 }, weights);
  const data = blurredLines(across, { lines: width, length: height, lineStride: 1, stride: width }, weights);
  return { type: "float32", shape: mask.shape, data };
}

/** Pixels `[3, height, width]`: `repainted` where the mask `[1, height, width]` is 1, `kept` where it is 0, mixed between. */
export function pastedPicture(repainted: Floats, kept: Floats, mask: Floats): Floats {
  const area = mask.data.length;
  const data = repainted.data.map((x, i) => {
    const share = mask.data[i % area]!;
    // Not a mere mix: what is kept is kept to the last bit, even beside numbers of any size.
    if (share === 0) return kept.data[i]!;
    return share === 1 ? x : share * x + (1 - share) * kept.data[i]!;
  });
  return { type: "float32", shape: repainted.shape, data };
}

/** `[pictures, channels, h, w]`: the first where the mask `[1, 1, h, w]` is 1, the second where it is 0. */
export function maskedMix(inside: Floats, outside: Floats, mask: Floats): Floats {
  const area = mask.data.length;
  const data = inside.data.map((x, i) => (mask.data[i % area]! > 0 ? x : outside.data[i]!));
  return { type: "float32", shape: inside.shape, data };
}

function gaussian(deviation: number): Float64Array {
  const radius = Math.ceil(reach * deviation);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * deviation ** 2)),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((x) => x / sum);
}

interface Lines {
  readonly lines: number;
  readonly length: number;
  /** Elements from one line to the next, and from one element of a line to the next. */
  readonly lineStride: number;
  readonly stride: number;
}

function blurredLines(data: Float32Array, at: Lines, weights: Float64Array): Float32Array {
  const out = new Float32Array(data.length);
  const radius = (weights.length - 1) / 2;
  for (let line = 0; line < at.lines; line++) {
    const begin = line * at.lineStride;
    for (let i = 0; i < at.length; i++) {
      let sum = 0;
      for (let j = -radius; j <= radius; j++) {
        const place = Math.min(at.length - 1, Math.max(0, i + j));
        sum += weights[j + radius]! * data[begin + place * at.stride]!;
      }
      // Rounding may leave 1 - 2^-53 of a full sum, which would soften what must stay whole.
      out[begin + i * at.stride] = sum > 1 - 1e-9 ? 1 : sum;
    }
  }
  return out;
}

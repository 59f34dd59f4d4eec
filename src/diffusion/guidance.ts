/** Coefficients of the two predictions that classifier-free guidance mixes. */
export interface GuidanceCoefficients {
  readonly conditional: number;
  readonly unconditional: number;
}

/** Below and at this scale the unconditional prediction is not needed: one network call instead of two. */
export const guidanceOff = 1;

/** Whether a guidance scale asks for the unconditional prediction. */
export function guidanceIsActive(guidanceScale: number): boolean {
  return guidanceScale > guidanceOff;
}

/**
 * Classifier-free guidance (Ho and Salimans 2022), e = e_u + guidanceScale (e_c - e_u), as coefficients of e_c and e_u.
 *
 * Algorithm 1's (1 + omega) Psi(c) - omega Psi(empty) is the same with guidanceScale = 1 + omega.
 */
export function guidanceCoefficients(guidanceScale: number): GuidanceCoefficients {
  return { conditional: guidanceScale, unconditional: 1 - guidanceScale };
}

/** The guidance scale of pipelines (Imagen's convention) for the paper's omega: 1 + omega. */
export function guidanceScaleFromPaperOmega(paperOmega: number): number {
  return 1 + paperOmega;
}

/**
 * The paper's omega for a guidance scale (Imagen's convention): guidanceScale - 1.
 *
 * A full latent consistency model is told omega (`guidanceEmbedding`) where others mix two predictions: the `guidance_scale`
 * that people give it, 8.5 in diffusers' pipelines, stands for an omega of 7.5, it takes one network call a step, and no
 * negative prompt. With LCM-LoRA the two meanings part: omega was fixed when the vector was trained, and a guidance scale
 * above 1 mixes two predictions on top of it.
 */
export function paperOmegaFromGuidanceScale(guidanceScale: number): number {
  return guidanceScale - 1;
}

/**
 * The embedding of omega that a fully distilled latent consistency model takes instead of guidance, [width].
 *
 * sin then cos of 1000 omega f_i, f_i = 10000^(-i / (width / 2 - 1)); an odd width ends in a zero. The phases reach
 * some ten thousand radians: references that keep them in float32 differ by up to 0.001.
 */
export function guidanceEmbedding(paperOmega: number, width: number): Float32Array {
  const half = Math.floor(width / 2);
  const out = new Float32Array(width);
  for (let i = 0; i < half; i++) {
    const phase = 1000 * paperOmega * 10000 ** (-i / (half - 1));
    out[i] = Math.sin(phase);
    out[half + i] = Math.cos(phase);
  }
  return out;
}

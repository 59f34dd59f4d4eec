import { UsageError } from "../../errors.ts";
import { requireOwnChannels } from "../../generate/image-to-image.ts";
import { isInpaintingModel } from "../../generate/inpainting.ts";
import type { Model } from "../../generate/model.ts";
import { latentSize, naturalSize, type Size, sizeForPicture } from "../../generate/size.ts";
import type { StrengthRule } from "../../generate/strength-rule.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { maskAt, type NamedBytes, openPicture, pictureAt } from "../given-pictures.ts";
import type { PictureFit } from "../picture-fit.ts";

/** What is said of a picture to begin with; pictures as paths or in memory. */
export interface StartWishes {
  readonly init?: string | NamedBytes;
  readonly mask?: string | NamedBytes;
  readonly strength?: number;
  readonly strengthSteps?: StrengthRule;
  readonly maskBlur?: number;
  readonly fit?: PictureFit;
}

/** How drawing begins with a picture, but for the picture. */
export interface StartPlan {
  readonly strength: number;
  readonly rule: StrengthRule;
  readonly fit: PictureFit;
}

/** A picture to begin with, at the size that is drawn. */
export interface GivenStart extends StartPlan {
  /** Names of the files. */
  readonly init: string;
  readonly mask: string | undefined;
  /** `[3, height, width]` in [-1, 1]. */
  readonly picture: Tensor<"float32">;
  /** What to repaint: `[1, height, width]` and the softness of its seam in pixels. */
  readonly repaint: { readonly mask: Tensor<"float32">; readonly blur: number } | undefined;
}

/** How much a picture is changed unless told: LCM-LoRA's usual share for a whole picture, and all of what a mask marks. */
const usualStrength = { whole: 0.6, masked: 1 } as const;

/** The mask's blur unless told: 4 pixels for a picture of 512. */
const blurShare = 1 / 128;

/**
 * The plan for a picture to begin with; undefined when none was given.
 * @throws UsageError when something was told that needs one
 */
export function planStart({ init, mask, maskBlur, fit, ...wishes }: StartWishes): StartPlan | undefined {
  if (init === undefined) {
    const told = {
      mask,
      strength: wishes.strength,
      "strength-steps": wishes.strengthSteps,
      "mask-blur": maskBlur,
      fit,
    };
    const needy = Object.entries(told).find(([, value]) => value !== undefined);
    if (needy === undefined) return undefined;
    throw new UsageError(`--${needy[0]} needs a picture to begin with; give it with --init.`);
  }
  if (mask === undefined && maskBlur !== undefined) {
    throw new UsageError("--mask-blur needs a mask; give it with --mask.");
  }
  const { strength = mask === undefined ? usualStrength.whole : usualStrength.masked } = wishes;
  return { strength, rule: wishes.strengthSteps ?? "keep", fit: fit ?? "crop" };
}

/**
 * Reads the picture and the mask at the size that is drawn: the wanted one, or else what suits the picture.
 * @throws UsageError when a file or the size cannot be used, or the model repaints and is given no mask
 */
export async function readStart(
  model: Model,
  { init, mask, maskBlur }: StartWishes,
  plan: StartPlan | undefined,
  wanted: Size | undefined,
): Promise<{ readonly start: GivenStart | undefined; readonly size: Size }> {
  if (mask === undefined || !isInpaintingModel(model)) requireOwnChannels(model);
  if (plan === undefined || init === undefined) {
    const size = wanted ?? naturalSize(model);
    latentSize(model, size);
    return { start: undefined, size };
  }
  const given = await openPicture(init);
  const size = wanted ?? sizeForPicture(model, given.own);
  latentSize(model, size);
  const picture = await pictureAt(given, size, plan.fit);
  const marked = mask === undefined ? undefined : await openPicture(mask);
  const named = { ...plan, init: given.name, mask: marked?.name, picture };
  if (marked === undefined) return { start: { ...named, repaint: undefined }, size };
  const blur = maskBlur ?? Math.min(size.width, size.height) * blurShare;
  const placed = await maskAt(marked, given.own, size, plan.fit);
  if (!placed.data.some((x) => x >= 0.5)) {
    throw new UsageError(
      `${marked.name}: this mask is black where the picture is, so there is nothing to repaint; paint it white.`,
    );
  }
  return { start: { ...named, repaint: { mask: placed, blur } }, size };
}

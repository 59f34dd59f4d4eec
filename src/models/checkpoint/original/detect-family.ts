import { CheckpointError } from "../../../errors.ts";
import type { JsonObject } from "../../../formats/json.ts";
import { type UNetConfig, unetConfig } from "../../unet/config.ts";
import type { ModelFamily } from "../families/family.ts";
import { inpaintingOf, lcmOf } from "../families/variants.ts";
import type { UNetLayout } from "./unet-layout.ts";

/** Channels of latents, a mask and the latents of a masked picture. */
const inpaintingChannels = 9;

/**
 * The family that a U-Net's structure belongs to, as its variant (inpainting, latent consistency) where it is one, and with
 * the depths that the file has where it was pruned: SSD-1B is to SDXL what other distilled models are to their teachers.
 * @param families those that are known
 * @param place what errors call the file
 * @throws CheckpointError saying what the U-Net is like, when no family is like it
 */
export function detectFamily(layout: UNetLayout, families: readonly ModelFamily[], place: string): ModelFamily {
  const unsupported = unsupportedKind(layout);
  if (unsupported !== undefined) throw new CheckpointError(`${place}: this is ${unsupported}, which is not supported.`);
  const alike = families.filter((family) => hasWidths(unetConfig(family.unet), layout));
  const exact = alike.find((family) => hasDepths(unetConfig(family.unet), layout));
  const nearest = alike.at(-1);
  if (nearest === undefined) throw unknownFamily(layout, families, place);
  const base = exact ?? withDepths(nearest, layout, place);
  const guided = layout.guidanceWidth === undefined ? base : lcmOf(base, layout.guidanceWidth);
  const { in_channels: usual } = base.unet;
  if (layout.inChannels === usual) return guided;
  if (layout.inChannels === inpaintingChannels) return inpaintingOf(guided);
  throw new CheckpointError(
    `${place}: the U-Net of ${base.name} takes ${layout.inChannels} channels; models that take ${usual}, or ${inpaintingChannels} for inpainting, are supported.`,
  );
}

/** Kinds of models that share the first code's names and cannot be used. */
function unsupportedKind({ channels, contextWidth, additionWidth, inChannels }: UNetLayout): string | undefined {
  if (channels[0] === 384 && contextWidth === 1280) return "the refiner of Stable Diffusion XL";
  if (additionWidth !== undefined && contextWidth === 1024) return "Stable unCLIP";
  if (inChannels === 7 && contextWidth === 1024) return "the upscaler of Stable Diffusion 2";
  if (inChannels === 8 && contextWidth === 768) return "InstructPix2Pix";
  return undefined;
}

/** What makes a family: widths of all kinds. Depths and inputs vary within it. */
function hasWidths(unet: UNetConfig, layout: UNetLayout): boolean {
  return (
    same(
      unet.down.map((level) => [level.channels, level.layers]),
      layout.channels.map((channels, i) => [channels, layout.layers[i]]),
    ) &&
    unet.contextWidth === layout.contextWidth &&
    unet.linearProjection === layout.linearProjection &&
    unet.addition?.inputWidth === layout.additionWidth &&
    unet.outChannels === layout.outChannels
  );
}

function hasDepths({ down, mid, up }: UNetConfig, layout: UNetLayout): boolean {
  const levels = [...down, ...up].map(({ depths, layers }) => (depths.length > 0 ? depths : Array(layers).fill(0)));
  return same([levels, mid.kind === "attention" ? mid.depth : 0], [[...layout.down, ...layout.up], layout.mid]);
}

/** The family's configuration with the depths of the file. */
function withDepths(family: ModelFamily, { down, mid, up }: UNetLayout, place: string): ModelFamily {
  const attends = (depths: readonly number[]): boolean => depths.some((depth) => depth > 0);
  const deepest = down.at(-1) ?? [];
  // The middle has no depth of its own in the configuration: it has that of the deepest level's first layer.
  if (mid > 0 && attends(deepest) && mid !== deepest[0]) {
    throw new CheckpointError(
      `${place}: ${mid} transformer layers in the middle beneath a level of ${deepest.join(", ")} are not supported.`,
    );
  }
  const unet: JsonObject = {
    ...family.unet,
    down_block_types: down.map((depths) => (attends(depths) ? "CrossAttnDownBlock2D" : "DownBlock2D")),
    up_block_types: up.map((depths) => (attends(depths) ? "CrossAttnUpBlock2D" : "UpBlock2D")),
    mid_block_type: mid > 0 ? "UNetMidBlock2DCrossAttn" : "UNetMidBlock2D",
    transformer_layers_per_block: down.map((depths) => (attends(depths) ? depths : Math.max(mid, 1))),
    reverse_transformer_layers_per_block: up.map((depths) => (attends(depths) ? depths : 1)),
  };
  return { ...family, name: `${family.name} of other depths`, unet };
}

function unknownFamily(layout: UNetLayout, families: readonly ModelFamily[], place: string): CheckpointError {
  const { channels, contextWidth } = layout;
  const known = families.map(({ name }) => name).join(", ");
  return new CheckpointError(
    `${place}: its U-Net, with levels of ${channels.join(", ")} channels and texts of width ${contextWidth}, belongs to no known family; known are ${known}.`,
  );
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

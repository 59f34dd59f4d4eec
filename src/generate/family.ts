import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { type ModuleEntry, unetTable } from "../models/module-table.ts";
import { type UNetConfig, unetConfig } from "../models/unet/config.ts";

/** A published kind of U-Net, which many models and LoRAs share. */
export interface Family {
  readonly name: string;
  readonly unet: UNetConfig;
}

/** The families whose LoRAs people have at hand. */
export function knownFamilies(): readonly Family[] {
  return modelFamilies.map(({ name, unet }) => ({ name, unet: unetConfig(unet) }));
}

/** The family that a U-Net belongs to; undefined when it is one of its own. */
export function familyOf(unet: UNetConfig): Family | undefined {
  return knownFamilies().find((family) => signature(family.unet) === signature(unet));
}

/** The name of a U-Net's family and of its variant, e.g. `Stable Diffusion 1.5 inpainting`; `custom` when it has none. */
export function familyName(unet: UNetConfig): string {
  const family = familyOf(unet);
  if (family === undefined) return "custom";
  const variants = [unet.inChannels === 9 ? " inpainting" : "", unet.guidanceWidth === undefined ? "" : " LCM"];
  return `${family.name}${variants.join("")}`;
}

/** The layers of a family's U-Net. */
export function familyModules(family: Family): readonly ModuleEntry[] {
  return unetTable(family.unet).modules;
}

/** What decides which LoRAs fit: widths and depths, not heads. */
function signature({ down, mid, up, contextWidth, linearProjection }: UNetConfig): string {
  const levels = [...down, ...up].map(({ channels, layers, depths }) => [channels, layers, depths]);
  return JSON.stringify([levels, mid.kind, mid.kind === "attention" ? mid.depth : 0, contextWidth, linearProjection]);
}

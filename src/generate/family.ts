import { type ModuleEntry, unetTable } from "../models/module-table.ts";
import { type UNetConfig, unetConfig } from "../models/unet/config.ts";

/** A published kind of U-Net, which many models and LoRAs share. */
export interface Family {
  readonly name: string;
  readonly unet: UNetConfig;
}

const stableDiffusion1 = {
  block_out_channels: [320, 640, 1280, 1280],
  cross_attention_dim: 768,
  attention_head_dim: 8,
};

const stableDiffusionXl = {
  block_out_channels: [320, 640, 1280],
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  transformer_layers_per_block: [1, 2, 10],
  attention_head_dim: [5, 10, 20],
  cross_attention_dim: 2048,
  use_linear_projection: true,
};

/** The families whose LoRAs people have at hand. */
export function knownFamilies(): readonly Family[] {
  const family = (name: string, json: unknown): Family => ({ name, unet: unetConfig(json) });
  return [
    family("Stable Diffusion 1", stableDiffusion1),
    family("Stable Diffusion 2", { ...stableDiffusion1, cross_attention_dim: 1024, use_linear_projection: true }),
    family("Stable Diffusion XL", stableDiffusionXl),
  ];
}

/** The family that a U-Net belongs to; undefined when it is one of its own. */
export function familyOf(unet: UNetConfig): Family | undefined {
  return knownFamilies().find((family) => signature(family.unet) === signature(unet));
}

/** The layers of a family's U-Net. */
export function familyModules(family: Family): readonly ModuleEntry[] {
  return unetTable(family.unet).modules;
}

/** What decides which LoRAs fit: widths and depths, not heads. */
function signature({ down, mid, contextWidth, linearProjection }: UNetConfig): string {
  const levels = down.map(({ channels, layers, depths }) => [channels, layers, depths]);
  return JSON.stringify([levels, mid.kind, mid.depth, contextWidth, linearProjection]);
}

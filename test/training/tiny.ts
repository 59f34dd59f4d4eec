import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { JsonObject } from "../../src/formats/json.ts";
import { counterUniform } from "../../src/tensor/random/counter.ts";

/** Height and width of the pictures, in pixels. */
export const tinySize = 16;

const colours: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [220, 40, 40],
  green: [40, 200, 60],
  blue: [40, 60, 220],
  yellow: [230, 220, 40],
};
const forms = ["ball", "box", "cross"] as const;

/** Draws twelve small pictures with captions, as a Hugging Face image folder. */
export async function drawTinyPictures(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lines: string[] = [];
  for (const [index, [colour, rgb]] of Object.entries(colours).entries()) {
    for (const form of forms) {
      const name = `${colour}-${form}.png`;
      const jitter = counterUniform(3, name, index, 2);
      await writeFile(join(folder, name), await drawForm(form, rgb, 7 + jitter[0]! * 2, 7 + jitter[1]! * 2));
      lines.push(
        JSON.stringify({ file_name: name, subject: `${colour} ${form}`, style: index % 2 ? "flat" : "plain" }),
      );
    }
  }
  await writeFile(join(folder, "metadata.jsonl"), `${lines.join("\n")}\n`);
}

function drawForm(form: (typeof forms)[number], rgb: readonly number[], x: number, y: number): Promise<Buffer> {
  const bytes = new Uint8Array(tinySize * tinySize * 3).fill(255);
  for (let row = 0; row < tinySize; row++) {
    for (let column = 0; column < tinySize; column++) {
      const [dx, dy] = [Math.abs(column - x), Math.abs(row - y)];
      const inside =
        form === "ball" ? dx * dx + dy * dy < 25 : form === "box" ? Math.max(dx, dy) < 4 : Math.min(dx, dy) < 1.5;
      if (inside) bytes.set(rgb, (row * tinySize + column) * 3);
    }
  }
  return sharp(bytes, { raw: { width: tinySize, height: tinySize, channels: 3 } })
    .png()
    .toBuffer();
}

const common = {
  size: tinySize,
  steps: 3,
  batchSize: 2,
  accumulate: 2,
  workers: 2,
  warmup: 0,
  rate: 2e-3,
  checkpointEvery: 2,
};

const adapter = { rank: 2, emaDecay: 0.9 };

/** Configs of networks so small that a step takes milliseconds; `root` is where pictures and runs lie. */
export function tinyConfig(kind: string, root: string): JsonObject {
  const at = (name: string): string => join(root, name);
  const base = { ...common, data: at("pictures"), output: at(kind) };
  const kinds: Readonly<Record<string, JsonObject>> = {
    autoencoder: {
      ...base,
      emaDecay: 0.5,
      vae: {
        block_out_channels: [4, 8],
        layers_per_block: 1,
        latent_channels: 4,
        norm_num_groups: 2,
        mid_block_add_attention: false,
      },
    },
    base: {
      ...base,
      emaDecay: 0.5,
      autoencoder: at("autoencoder"),
      vocabularySize: 530,
      unet: {
        block_out_channels: [8, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        cross_attention_dim: 16,
        attention_head_dim: [1, 2],
        down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
        mid_block_type: "UNetMidBlock2DCrossAttn",
        use_linear_projection: true,
      },
      textEncoder: {
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 12,
      },
    },
    lora: { ...base, ...adapter, base: at("base/model") },
    lcd: { ...base, ...adapter, base: at("base/model"), omegaMin: 2, omegaMax: 6, averagedTarget: true },
    "lcd-full": { ...base, base: at("base/model"), method: "full", emaDecay: 0.9, guidanceWidth: 8 },
    lcf: { ...base, ...adapter, base: at("base/model"), start: at("lcd/adapter.safetensors") },
    "lcf-full": { ...base, base: at("lcd-full/model"), method: "full", emaDecay: 0.9 },
  };
  return kinds[kind]!;
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { trainLora } from "../../examples/train-a-lora.ts";
import { loadModelAdapter } from "../../src/adapters/load.ts";
import { adaptableLayers } from "../../src/adapters/targets.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { unetTable } from "../../src/models/module-table.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { float32 } from "../../src/tensor/tensor.ts";
import { tinyConfigs, writeTinyModel } from "../tiny-model.ts";

it("the example that trains lowers the loss and gives a LoRA that fits the model", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fourstep-example-"));
  try {
    await writeTinyModel(join(folder, "model"));
    const picture = float32(
      [1, 3, 32, 32],
      Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i / 50)),
    );
    const { file, losses } = await trainLora(join(folder, "model"), picture, "a red apple", 60);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(losses).toHaveLength(60);
    expect(mean(losses.slice(-20))).toBeLessThan(mean(losses.slice(0, 20)));
    const layers = { unet: adaptableLayers(unetTable(unetConfig(tinyConfigs.unet))) };
    const adapter = await loadModelAdapter(await openTensorFile(bytesSource("lora.safetensors", file)), layers);
    expect(adapter).toMatchObject({ rank: 4, unmatched: [], zero: false });
    expect(adapter.modules.length).toBeGreaterThan(7);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

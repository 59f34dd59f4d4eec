import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../test/module-table.ts";
import { AdapterError } from "../errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { loadAdapter } from "./load.ts";
import type { LoraModule } from "./lora.ts";
import { saveAdapter } from "./save.ts";
import { type ModuleShape, targetModules } from "./targets.ts";

/** An adapter of these modules; its numbers are multiples of 1/8, which float16 holds. */
function adapter(modules: readonly ModuleShape[], rank: number): LoraModule[] {
  let next = 0;
  const numbers = (...shape: number[]): Tensor => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      next = (next + 7) % 33;
      data[i] = (next - 16) / 8;
    }
    return float32(shape, data);
  };
  return modules.map(({ path, kind, weight }) => {
    const [out = 0, ...inner] = weight;
    return {
      path,
      down: numbers(rank, ...inner),
      up: numbers(out, rank, ...(kind === "conv" ? [1, 1] : [])),
      alpha: rank / 2,
    };
  });
}

describe("saveAdapter", () => {
  const table = readModuleTable("tiny");
  const modules = adapter(targetModules(table), 4);

  it("writes what loadAdapter reads, in float16 with published names", async () => {
    const bytes = saveAdapter(modules, { type: "float16", metadata: { author: "us" } });
    const loaded = await loadAdapter(bytesSource("saved", bytes), table);
    expect(loaded).toMatchObject({
      dialect: "kohya",
      rank: 4,
      alpha: 2,
      matched: 3 * modules.length,
      unmatched: [],
      leftOver: [],
    });
    expect(Object.fromEntries(loaded.metadata)).toEqual({ author: "us", format: "pt" });
    expect(loaded.modules.map((m) => ({ ...m, down: toFloat32(m.down), up: toFloat32(m.up) }))).toEqual(modules);
    const alpha = decodeSafetensors(bytes, "saved").get("lora_unet_mid_block_resnets_0_conv1.alpha");
    expect([alpha?.type, alpha?.shape]).toEqual(["float16", []]);
  });

  it("writes float32 unchanged", () => {
    const tensors = decodeSafetensors(saveAdapter(modules, { type: "float32", metadata: {} }), "saved");
    for (const { path, down } of modules) {
      expect(tensors.get(`lora_unet_${path.replaceAll(".", "_")}.lora_down.weight`)).toEqual(down);
    }
  });

  it("takes as many bytes as the published LCM-LoRA of Stable Diffusion 1.5", () => {
    const zeros = (...shape: number[]): Tensor => {
      const count = shape.reduce((a, b) => a * b, 1);
      return { type: "float16", shape, data: new Uint16Array(count) };
    };
    const published = targetModules(readModuleTable("sd15")).map(({ path, kind, weight: [out = 0, ...inner] }) => ({
      path,
      down: zeros(64, ...inner),
      up: zeros(out, 64, ...(kind === "conv" ? [1, 1] : [])),
      alpha: 64,
    }));
    const bytes = saveAdapter(published);
    expect(decodeSafetensors(bytes, "saved").size).toBe(834);
    expect(bytes.length).toBe(134_621_556);
  });

  it("refuses numbers beyond float16 and modules that are spelled alike", () => {
    const [first] = modules;
    const large = { ...first!, up: float32(first!.up.shape, new Float32Array(first!.up.data.length).fill(70_000)) };
    expect(() => saveAdapter([large])).toThrow(AdapterError);
    expect(() => saveAdapter([large])).toThrow("a number of its up part is not finite as float16");
    expect(() => saveAdapter([first!, { ...first!, path: first!.path.replace(".", "_") }])).toThrow(
      "another module is also written as",
    );
  });
});

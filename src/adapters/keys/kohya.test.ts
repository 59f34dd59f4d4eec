import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../../test/module-table.ts";
import { kohya } from "./kohya.ts";

describe("kohya", () => {
  it("spells SDXL in diffusers' way, as published LCM-LoRAs, and in SGM's, as sd-scripts", () => {
    const spellings = kohya.spell(readModuleTable("sdxl"), "unet");
    const path = "down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0";
    expect(spellings.get("down_blocks_1_attentions_0_transformer_blocks_1_attn2_to_out_0")).toBe(path);
    expect(spellings.get("input_blocks_4_1_transformer_blocks_1_attn2_to_out_0")).toBe(path);
    expect(spellings.get("input_blocks_3_0_op")).toBe("down_blocks.0.downsamplers.0.conv");
    expect(spellings.get("output_blocks_5_2_conv")).toBe("up_blocks.1.upsamplers.0.conv");
    expect(spellings.get("middle_block_2_emb_layers_1")).toBe("mid_block.resnets.1.time_emb_proj");
  });

  it("spells no two modules of a model alike", () => {
    for (const model of ["sd15", "sdxl", "ssd1b"] as const) {
      const table = readModuleTable(model);
      const spellings = kohya.spell(table, "unet");
      const named = table.filter(({ path }) => spellings.get(path.replaceAll(".", "_")) === path);
      expect(named.length).toBe(table.length);
    }
  });
});

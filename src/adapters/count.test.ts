import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../test/module-table.ts";
import { countLora, countLoraByKind, parameterTable } from "./count.ts";
import { targetKind, targetModules } from "./targets.ts";

describe("countLora, at rank 64 over the fourteen kinds of layer", () => {
  // The numbers of the published files, to the byte; the paper rounds them to 67.5M, 105M and 197M.
  it.each([
    ["sd15", 278, 67_252_224],
    ["ssd1b", 423, 104_902_656],
    ["sdxl", 788, 196_751_360],
  ] as const)("counts %s", (model, modules, parameters) => {
    expect(countLora(targetModules(readModuleTable(model)), 64)).toEqual({ modules, parameters });
  });

  it("breaks Stable Diffusion 1.5 down by kind", () => {
    const kinds = countLoraByKind(targetModules(readModuleTable("sd15")), 64);
    const rows = Array.from(kinds, ([kind, { modules, parameters }]) => `${kind} ${modules} ${parameters}`);
    expect(rows).toEqual([
      "to_q 32 3194880",
      "to_k 32 3182592",
      "to_v 32 3182592",
      "to_out.0 32 3194880",
      "proj_in 16 1597440",
      "proj_out 16 1597440",
      "ff.net.0.proj 16 7188480",
      "ff.net.2 16 3993600",
      "conv1 22 18432000",
      "conv2 22 12902400",
      "conv_shortcut 14 2211840",
      "downsamplers.0.conv 3 1433600",
      "upsamplers.0.conv 3 2048000",
      "time_emb_proj 22 3092480",
    ]);
  });
});

describe("parameterTable", () => {
  it("counts the models of the paper's Table 1 from their configurations", () => {
    const clip = 123_060_480;
    const bigClip = 694_659_840;
    const autoencoder = 83_653_863;
    expect(parameterTable()).toEqual([
      { model: "SD-V1.5", full: 859_520_964, lora: 67_252_224, modules: 278, textEncoders: clip, autoencoder },
      {
        model: "SSD-1B",
        full: 1_331_334_404,
        lora: 104_902_656,
        modules: 423,
        textEncoders: clip + bigClip,
        autoencoder,
      },
      {
        model: "SDXL",
        full: 2_567_463_684,
        lora: 196_751_360,
        modules: 788,
        textEncoders: clip + bigClip,
        autoencoder,
      },
    ]);
    expect(parameterTable(8).map(({ lora }) => lora)).toEqual([67_252_224 / 8, 104_902_656 / 8, 196_751_360 / 8]);
  });
});

describe("targetKind", () => {
  it("asks for a whole name at the end of the path", () => {
    expect(targetKind("mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0")).toBe("to_out.0");
    expect(targetKind("conv1")).toBe("conv1");
    for (const path of ["conv_in", "conv_out", "time_embedding.linear_1", "x.my_conv1", "x.to_out.1", "x.to_q.bias"]) {
      expect(targetKind(path)).toBeUndefined();
    }
    expect(targetKind("a.b", ["b"])).toBe("b");
  });
});

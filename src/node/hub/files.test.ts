import { describe, expect, it } from "vitest";
import { chooseLoraFile, chooseModelFiles } from "./files.ts";
import { parseHubReference } from "./reference.ts";
import { hubSettings } from "./settings.ts";

const base = ["model_index.json", "unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"];
const weights = (paths: readonly string[], variant?: string): readonly string[] =>
  chooseModelFiles("o/n", [...base, ...paths], variant).files.filter((path) => !base.includes(path));

describe("chooseModelFiles", () => {
  it.each([
    [
      ["unet/model.bin", "unet/diffusion_pytorch_model.safetensors"],
      undefined,
      ["unet/diffusion_pytorch_model.safetensors"],
    ],
    [["unet/diffusion_pytorch_model.bin"], undefined, ["unet/diffusion_pytorch_model.bin"]],
    [["unet/diffusion_pytorch_model.fp16.safetensors"], undefined, ["unet/diffusion_pytorch_model.fp16.safetensors"]],
    [
      [
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.bin",
      ],
      "fp16",
      ["unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.bin"],
    ],
    [
      ["unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.safetensors"],
      undefined,
      ["unet/diffusion_pytorch_model.safetensors"],
    ],
  ])("%j %s", (paths, variant, files) => expect(weights(paths, variant)).toEqual(files));

  it("takes pieces with their index", () => {
    const pieces = [
      "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
      "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
    ];
    const index = "unet/diffusion_pytorch_model.safetensors.index.json";
    const half = [
      "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
      "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
    ];
    expect(weights([...pieces, index, ...half])).toEqual([...pieces, index]);
    expect(weights([...pieces, index, ...half], "fp16")).toEqual(half);
  });

  it("takes tokenizers, second text encoders, and nothing that is not used", () => {
    const used = [
      "text_encoder_2/config.json",
      "tokenizer/vocab.json",
      "tokenizer_2/merges.txt",
      "text_encoder_2/model.safetensors",
    ];
    const unused = [
      "safety_checker/config.json",
      "safety_checker/model.safetensors",
      "text_encoder_2/flax_model.msgpack",
      "sd.ckpt",
      "image.png",
      "unet/openvino_model.bin",
    ];
    expect(weights([...used, ...unused])).toEqual(used);
  });

  it("takes a safetensors checkpoint rather than a pickle", () => {
    const files = ["v1.safetensors", "v1.ckpt", "README.md", "vae/x.safetensors"];
    expect(chooseModelFiles("o/n", files, undefined)).toEqual({ kind: "file", files: ["v1.safetensors"] });
    expect(() => chooseModelFiles("o/n", ["README.md"], undefined)).toThrow(
      "o/n: there is neither a model_index.json nor a checkpoint",
    );
  });
});

describe("chooseLoraFile", () => {
  it("takes diffusers' file, or the only one", () => {
    expect(chooseLoraFile("o/n", ["a.safetensors", "pytorch_lora_weights.safetensors"])).toBe(
      "pytorch_lora_weights.safetensors",
    );
    expect(chooseLoraFile("o/n", ["a.safetensors", "README.md"])).toBe("a.safetensors");
    expect(() => chooseLoraFile("o/n", ["a.safetensors", "b.safetensors"])).toThrow(
      "name one of them, as o/n/a.safetensors",
    );
  });
});

describe("parseHubReference", () => {
  it.each([
    ["o/n", { repo: "o/n", revision: "main", file: undefined }],
    ["stabilityai/sd-1.5_x@refs/pr/1", { repo: "stabilityai/sd-1.5_x", revision: "refs/pr/1", file: undefined }],
    ["o/n/a/b.safetensors@v1", { repo: "o/n", revision: "v1", file: "a/b.safetensors" }],
  ])("%s", (text, reference) => expect(parseHubReference(text)).toEqual(reference));

  it.each(["n", "/o/n", "./o/n", "o/n/../x", "o/..", "C:\\o\\n", "o/n:1", "o//n", "a b/n", "o/n@", "o--x/n", ""])(
    "%j is none",
    (text) => expect(parseHubReference(text)).toBeUndefined(),
  );
});

describe("hubSettings", () => {
  it("reads what Python's library reads", async () => {
    const settings = await hubSettings({
      HF_HOME: "/h",
      HF_TOKEN: " hf_x ",
      HF_ENDPOINT: "https://mirror.example/",
      HF_HUB_OFFLINE: "yes",
    });
    expect(settings).toEqual({ endpoint: "https://mirror.example", cache: "/h/hub", token: "hf_x", offline: true });
    expect(await hubSettings({ HF_HUB_CACHE: "/c", HF_HOME: "/nowhere", HF_HUB_OFFLINE: "0" })).toEqual({
      endpoint: "https://huggingface.co",
      cache: "/c",
      token: undefined,
      offline: false,
    });
    expect((await hubSettings({ XDG_CACHE_HOME: "/x" })).cache).toBe("/x/huggingface/hub");
  });
});

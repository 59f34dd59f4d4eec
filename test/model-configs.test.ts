import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { isJsonObject, parseJsonObject } from "../src/formats/json.ts";
import { clipTextConfig } from "../src/models/clip.ts";
import { unetConfig } from "../src/models/unet/config.ts";
import { autoencoderConfig } from "../src/models/vae/config.ts";
import { parseTrainingConfig, type TrainingKind } from "../src/training/config/parse.ts";

const folder = new URL("../scripts/model/", import.meta.url);

/** Which kind of training each config of the shipped model is for. */
const kinds: Readonly<Record<string, TrainingKind>> = {
  "autoencoder-shapes.json": "autoencoder",
  "autoencoder.json": "autoencoder",
  "base-first.json": "base",
  "base.json": "base",
  "lcd.json": "lcd",
  "style-3d.json": "lora",
  "style-ink.json": "lora",
};

test("every config of the shipped model is understood, and its networks too", async () => {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json") && name !== "subjects.json");
  expect(files.sort()).toEqual(Object.keys(kinds).sort());
  for (const name of files) {
    const json = parseJsonObject(await readFile(new URL(name, folder), "utf8"), name);
    const config = parseTrainingConfig(kinds[name]!, json, name);
    expect(config.steps).toBe(json["steps"]);
    const { vae, unet, textEncoder } = json;
    if (isJsonObject(vae)) expect(autoencoderConfig(vae).latentChannels).toBe(16);
    if (isJsonObject(unet) && isJsonObject(textEncoder)) {
      expect(unetConfig(unet).contextWidth).toBe(clipTextConfig(textEncoder).width);
    }
  }
});

/**
 * What the shipped model makes of pairs of subject and style that its training never saw: `npm run model:held-out`.
 *
 * Each held-out picture is mixed with noise, and the network is asked for the noise sixteen times: with its own caption and
 * with fifteen other subjects in the same style. The caption with the least error is the model's answer; one in sixteen is
 * chance. The same is asked of as many pictures that it was trained on. The pairs are also drawn in four steps beside the
 * real pictures, into docs/held-out.png. Needs `npm run model:pictures`.
 *
 *     node --import tsx scripts/model/held-out.ts [--model FOLDER] [--pictures FOLDER]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { alphaAt, sigmaAt } from "../../src/diffusion/schedule.ts";
import { distilledBetas, scheduleFromConfig } from "../../src/diffusion/scheduler-config.ts";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { toPixels } from "../../src/generate/pixels.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { decodePicture } from "../../src/node/decode-picture.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { openPictures } from "../../src/node/open-pictures.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";
import { counterNormal, counterPermutation } from "../../src/tensor/random/counter.ts";
import { filled, float32, type Tensor } from "../../src/tensor/tensor.ts";
import { plainCaption } from "../../src/training/data/captions.ts";
import { type PictureEntry, pictureSplit } from "../../src/training/data/picture-set.ts";

const { values } = parseArgs({
  options: { model: { type: "string" }, pictures: { type: "string", default: "runs/pictures/base" } },
});
const folder = values.model ?? shippedModelFolder();
const candidates = 16;
const timesteps = [400, 600, 800] as const;

const set = await openPictures(values.pictures);
const heldOut = pictureSplit(set, "heldout").entries;
const trained = pictureSplit(set, "train").entries;
const order = counterPermutation(0, "trained", 0, trained.length);
const seen = heldOut.map((_, i) => trained[order[i]!]!);

const runtime = onnxRuntime();
const opened = await openModel(folder);
const base = await adaptedModel(opened, []);
const schedule = scheduleFromConfig(base.scheduler, distilledBetas);
const size = naturalSize(base);

/** The picture's caption, then those of other subjects in its style. */
function captionsFor(entry: PictureEntry, place: number): string[] {
  const others = set.entries.filter(({ style, subject }) => style === entry.style && subject !== entry.subject);
  const chosen = counterPermutation(0, "others", place, others.length).subarray(0, candidates - 1);
  return [plainCaption(entry), ...Array.from(chosen, (i) => plainCaption(others[i]!))];
}

/** Number of pictures whose own caption explains them best. */
async function recognised(entries: readonly PictureEntry[]): Promise<number> {
  const networks = createNetworks(runtime, base);
  let right = 0;
  for (const [place, entry] of entries.entries()) {
    const picture = await decodePicture(await entry.read(), entry.name, { size });
    const one: Tensor<"float32"> = { ...picture, shape: [1, ...picture.shape] };
    const { mean } = await networks.encode(one);
    const contexts: Float32Array[] = [];
    let width = 0;
    for (const prompt of captionsFor(entry, place)) {
      const { conditional } = await encodePrompt(networks, base, { prompt, negativePrompt: "", guidanceScale: 1 });
      contexts.push(conditional.context.data);
      width = conditional.context.shape[1]!;
    }
    const context = float32(
      [contexts.length * (contexts[0]!.length / width), width],
      contexts.flatMap((c) => [...c]),
    );
    const errors = new Array<number>(candidates).fill(0);
    for (const t of timesteps) {
      const noise = counterNormal(t, "noise", place, mean.data.length);
      const noisy = mean.data.map((x, i) => alphaAt(schedule, t) * x + sigmaAt(schedule, t) * noise[i]!);
      const latents = filled([candidates, ...mean.shape.slice(1)]);
      for (let n = 0; n < candidates; n++) latents.data.set(noisy, n * noisy.length);
      const times = float32([candidates], new Array<number>(candidates).fill(t));
      const { data } = await networks.predict({ latents, timesteps: times, context });
      for (let i = 0; i < data.length; i++)
        errors[Math.floor(i / noisy.length)]! += (data[i]! - noise[i % noisy.length]!) ** 2;
    }
    if (errors.indexOf(Math.min(...errors)) === 0) right++;
  }
  await networks.dispose();
  return right;
}

/** Each pair drawn in four steps, above the real picture. */
async function drawPairs(entries: readonly PictureEntry[], path: string): Promise<void> {
  const [shown, perLine] = [64, 15];
  const lora = { path: join(folder, "lora", "lcm-lora.safetensors"), weight: 1 };
  const model = await adaptedModel(opened, await readLoras(opened.files, [lora]));
  const networks = createNetworks(runtime, model);
  const sampler = createSampler("lcm", { config: opened.files.scheduler, steps: 4, strength: 1 });
  const tiles: { input: Buffer; left: number; top: number }[] = [];
  for (const [i, entry] of entries.entries()) {
    const prompt = plainCaption(entry);
    const conditioning = await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale: 1 });
    const left = (i % perLine) * shown;
    const top = Math.floor(i / perLine) * (2 * shown + 12);
    for await (const event of textToImage(networks, model, { conditioning, sampler, size, seed: 0, count: 1 })) {
      if (event.kind !== "picture") continue;
      const { data, width, height } = toPixels(event.pixels);
      const drawn = sharp(data, { raw: { width, height, channels: 3 } }).resize(shown, shown);
      tiles.push({ input: await drawn.png().toBuffer(), left, top });
    }
    const real = sharp(await entry.read())
      .resize(shown, shown)
      .flatten({ background: "#ffffff" });
    tiles.push({ input: await real.png().toBuffer(), left, top: top + shown });
  }
  await networks.dispose();
  const height = Math.ceil(entries.length / perLine) * (2 * shown + 12) - 12;
  const canvas = { width: perLine * shown, height, channels: 3 as const, background: "#dddddd" };
  await sharp({ create: canvas }).composite(tiles).png().toFile(path);
}

try {
  const [unseen, known] = [await recognised(heldOut), await recognised(seen)];
  console.log(
    `own caption best of ${candidates}: held out ${unseen} of ${heldOut.length}, trained on ${known} of ${seen.length}`,
  );
  await drawPairs(heldOut, "docs/held-out.png");
  console.log(heldOut.map(plainCaption).join("; "));
} finally {
  await runtime.dispose();
  await opened.folder.close();
}

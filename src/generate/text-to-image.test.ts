import { describe, expect, it } from "vitest";
import { smallModel, smallNetworks } from "../../test/small-drawing.ts";
import { RuntimeFailure, UsageError } from "../errors.ts";
import { createSampler } from "../samplers/registry.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { filled, float32 } from "../tensor/tensor.ts";
import { type Conditioning, encodePrompt } from "./conditioning.ts";
import type { DrawingStep, DrawnPicture } from "./drawing.ts";
import type { UNetRequest } from "./networks.ts";
import { type TextToImageRequest, textToImage } from "./text-to-image.ts";

const model = smallModel;

async function request(
  changes: Partial<TextToImageRequest> & { guidanceScale?: number } = {},
): Promise<TextToImageRequest> {
  const { guidanceScale = 1, ...rest } = changes;
  const prompt = { prompt: "a red apple", negativePrompt: "red", guidanceScale };
  return {
    conditioning: await encodePrompt(smallNetworks(), model, prompt),
    sampler: createSampler("lcm", { config: {}, steps: 4, strength: 1 }),
    size: { width: 8, height: 12 },
    seed: 5,
    count: 1,
    ...rest,
  };
}

async function draw(wanted: TextToImageRequest, networks = smallNetworks()): Promise<DrawnPicture[]> {
  const pictures: DrawnPicture[] = [];
  for await (const event of textToImage(networks, model, wanted)) if (event.kind === "picture") pictures.push(event);
  return pictures;
}

describe("textToImage", () => {
  it("starts from the generator's noise and asks the network once a step", async () => {
    const asked: UNetRequest[] = [];
    const [picture] = await draw(await request(), smallNetworks({ asked }));
    expect(asked.map(({ timesteps }) => timesteps.data[0])).toEqual([999, 759, 499, 259]);
    expect(asked[0]!.latents).toEqual(float32([1, 2, 6, 4], new Mt19937(5).randn(48)));
    expect(picture).toMatchObject({ seed: 5, networkCalls: 4 });
    expect(picture!.pixels.shape).toEqual([3, 12, 8]);
    expect(picture!.latents.shape).toEqual([1, 2, 6, 4]);
  });

  it("yields each step with what it predicts, the last being the picture's latents", async () => {
    const events: (DrawingStep | DrawnPicture)[] = [];
    for await (const event of textToImage(smallNetworks(), model, await request())) events.push(event);
    expect(events.map(({ kind }) => kind)).toEqual(["step", "step", "step", "step", "picture"]);
    const last = events[3]!;
    expect(last).toMatchObject({ index: 3, timestep: 259, picture: 0 });
    expect(events[4]!.latents).toEqual(last.latents);
    if (last.kind === "step") expect(last.denoised).toEqual(last.latents);
  });

  it("draws each picture as if it were alone", async () => {
    const together = await draw(await request({ count: 3 }));
    const alone = await Promise.all([5, 6, 7].map(async (seed) => (await draw(await request({ seed })))[0]!));
    expect(together.map(({ seed }) => seed)).toEqual([5, 6, 7]);
    expect(together.map(({ latents }) => latents)).toEqual(alone.map(({ latents }) => latents));
    expect(together[0]!.latents).not.toEqual(together[1]!.latents);
  });

  it("mixes the two predictions of classifier-free guidance", async () => {
    const sampler = createSampler("ddim", { config: {}, steps: 2, strength: 1 });
    const guided: UNetRequest[] = [];
    const [picture] = await draw(await request({ guidanceScale: 3, sampler }), smallNetworks({ asked: guided }));
    expect(picture!.networkCalls).toBe(4);
    const [first, second] = guided;
    const total = ({ context }: UNetRequest): number => context.data.reduce((a, b) => a + b, 0);
    expect(first!.latents).toEqual(second!.latents);
    expect(total(first!)).not.toBe(total(second!));
    // The mix of two outputs that differ by a constant is the output for a text whose sum lies beyond.
    const beyond = total(first!) + 3 * (total(second!) - total(first!));
    const conditioning = (await request()).conditioning as Conditioning;
    const tokens = conditioning.conditional.context.shape[0]!;
    const single = { ...conditioning, conditional: { context: filled([tokens, 1], beyond / tokens) } };
    const [expected] = await draw({ ...(await request({ sampler })), conditioning: single });
    for (const [i, x] of picture!.latents.data.entries()) expect(x).toBeCloseTo(expected!.latents.data[i]!, 4);
  });

  it("needs no second prediction with a guidance of 1 or below", async () => {
    for (const guidanceScale of [1, 0]) {
      const wanted = await request({ guidanceScale });
      expect((wanted.conditioning as Conditioning).unconditional).toBeUndefined();
      expect((await draw(wanted))[0]!.networkCalls).toBe(4);
    }
  });

  it("stops between two steps when it is told", async () => {
    const stop = new AbortController();
    const asked: UNetRequest[] = [];
    const run = async (): Promise<void> => {
      for await (const event of textToImage(smallNetworks({ asked }), model, await request(), stop.signal)) {
        if (event.kind === "step" && event.index === 1) stop.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ name: "AbortError" });
    expect(asked.length).toBe(2);
  });

  it("says when the network's output is not finite, and where", async () => {
    const drawing = draw(await request(), smallNetworks({ share: Number.NaN }));
    await expect(drawing).rejects.toThrow(RuntimeFailure);
    await expect(drawing).rejects.toThrow(
      "The U-Net's output in step 1 of 4 (timestep 999) of small is not a finite number",
    );
  });

  it("refuses counts, sizes and seeds that cannot be", async () => {
    for (const changes of [{ count: 0 }, { count: 1.5 }, { size: { width: 6, height: 8 } }, { seed: -1 }]) {
      await expect(draw(await request(changes))).rejects.toThrow(UsageError);
    }
  });
});

describe("encodePrompt", () => {
  it("gives a long text further windows, and the other text as many", async () => {
    const prompt = { prompt: "a red apple a red apple", negativePrompt: "a", guidanceScale: 1 };
    const without = await encodePrompt(smallNetworks(), model, prompt);
    const row = (ids: readonly number[]): number[] => ids.map((id) => Math.fround(id / 1000));
    const { tokenizer } = model;
    const { bosId, eosId } = tokenizer;
    const [a, red, apple] = tokenizer.encode("a red apple") as [number, number, number];
    const windows = row([bosId, a, red, apple, a, eosId, bosId, red, apple, eosId, eosId, eosId]);
    expect([...without.conditional.context.data]).toEqual(windows);
    expect(without.unconditional).toBeUndefined();
    const guided = await encodePrompt(smallNetworks(), model, { ...prompt, guidanceScale: 1.5 });
    const nothing = [bosId, eosId, eosId, eosId, eosId, eosId];
    expect([...guided.unconditional!.context.data]).toEqual(row([bosId, a, eosId, eosId, eosId, eosId, ...nothing]));
  });
});

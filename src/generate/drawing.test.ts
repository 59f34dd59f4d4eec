import { describe, expect, it } from "vitest";
import { smallModel, smallNetworks } from "../../test/small-drawing.ts";
import { RuntimeFailure, UsageError } from "../errors.ts";
import { createSampler, type SamplerName } from "../samplers/registry.ts";
import { float32 } from "../tensor/tensor.ts";
import { encodePrompt } from "./conditioning.ts";
import type { DrawingStep, DrawnPicture } from "./drawing.ts";
import type { Networks, UNetRequest } from "./networks.ts";
import { type TextToImageRequest, textToImage } from "./text-to-image.ts";

async function request(
  changes: Partial<TextToImageRequest> & { readonly name?: SamplerName } = {},
): Promise<TextToImageRequest> {
  const { name = "lcm", ...rest } = changes;
  const prompt = { prompt: "a red apple", negativePrompt: "red", guidanceScale: 2 };
  return {
    conditioning: await encodePrompt(smallNetworks(), smallModel, prompt),
    sampler: createSampler(name, { config: {}, steps: 3, strength: 1 }),
    size: { width: 8, height: 12 },
    seed: 5,
    count: 5,
    ...rest,
  };
}

async function events(wanted: TextToImageRequest, networks: Networks, signal?: AbortSignal) {
  const all: (DrawingStep | DrawnPicture)[] = [];
  for await (const event of textToImage(networks, smallModel, wanted, signal)) all.push(event);
  return all;
}

const pictures = (all: readonly (DrawingStep | DrawnPicture)[]): DrawnPicture[] =>
  all.filter((event) => event.kind === "picture");

describe("batches", () => {
  it("give every picture what it is alone, in fewer calls", async () => {
    const alone = pictures(await events(await request(), smallNetworks()));
    const asked: UNetRequest[] = [];
    const together = pictures(await events(await request({ batch: 2 }), smallNetworks({ asked })));
    expect(together.map(({ picture, seed, networkCalls }) => [picture, seed, networkCalls])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [i, 5 + i, 6]),
    );
    expect(together.map(({ latents }) => latents)).toEqual(alone.map(({ latents }) => latents));
    expect(together.map(({ pixels }) => pixels)).toEqual(alone.map(({ pixels }) => pixels));
    // Two texts in three steps of batches of 2, 2 and 1 pictures.
    expect(asked.map(({ latents }) => latents.shape[0])).toEqual([...Array(12).fill(2), ...Array(6).fill(1)]);
    expect(asked[0]).toMatchObject({ timesteps: { shape: [2] }, context: { shape: [12, 1] } });
  });

  it("take each picture's own prompt and seed", async () => {
    const prompts = ["a red apple", "a red", "apple"];
    const conditioning = await Promise.all(
      prompts.map((prompt) =>
        encodePrompt(smallNetworks(), smallModel, { prompt, negativePrompt: "", guidanceScale: 1 }),
      ),
    );
    const asked: UNetRequest[] = [];
    const own = await request({ conditioning, seed: [7, 3, 7], count: 3, batch: 2 });
    const drawn = pictures(await events(own, smallNetworks({ asked })));
    expect(drawn.map(({ seed }) => seed)).toEqual([7, 3, 7]);
    const [first, second, third] = conditioning.map(({ conditional }) => [...conditional.context.data]);
    expect([...asked[0]!.context.data]).toEqual([...first!, ...second!]);
    expect([...asked.at(-1)!.context.data]).toEqual(third);
    const noise = asked[0]!.latents.data;
    expect([...noise.subarray(0, noise.length / 2)]).toEqual([...asked.at(-3)!.latents.data]);
  });

  it("refuse another number of seeds than of pictures", async () => {
    const wrong = await request({ seed: [1, 2], count: 3 });
    await expect(events(wrong, smallNetworks())).rejects.toThrow("There are 2 seeds for 3 pictures");
  });

  it("yield the steps of each picture", async () => {
    const all = await events(await request({ count: 2, batch: 2 }), smallNetworks());
    const steps = all.filter((event) => event.kind === "step");
    expect(steps.map(({ picture, index }) => [picture, index])).toEqual(
      [0, 1, 2].flatMap((i) => [
        [0, i],
        [1, i],
      ]),
    );
    expect(steps.at(-1)!.latents).toEqual(pictures(all)[1]!.latents);
    for (const { latents, denoised } of steps)
      expect([latents.shape, denoised.shape]).toEqual(Array(2).fill([1, 2, 6, 4]));
  });

  it("are of one picture for samplers that choose their steps by their error", async () => {
    const asked: UNetRequest[] = [];
    const wanted = await request({ name: "dpm-solver-12", count: 2, batch: 2 });
    const drawn = pictures(await events(wanted, smallNetworks({ asked, share: 0.1 })));
    expect(drawn.length).toBe(2);
    expect(asked.every(({ latents }) => latents.shape[0] === 1)).toBe(true);
  });

  it("refuse counts that cannot be", async () => {
    for (const batch of [0, 1.5, Number.NaN]) {
      await expect(events(await request({ batch }), smallNetworks())).rejects.toThrow(UsageError);
    }
  });
});

describe("previews", () => {
  it("come with each step, of the predicted picture", async () => {
    const seen: number[] = [];
    const preview = async ({ data }: { readonly data: Float32Array }) => {
      seen.push(data[0]!);
      return float32([3, 1, 1], [data[0]!, 0, 0]);
    };
    const all = await events(await request({ count: 2, batch: 2, preview }), smallNetworks());
    const steps = all.filter((event) => event.kind === "step");
    expect(steps.map(({ preview: shown }) => shown!.data[0])).toEqual(steps.map(({ denoised }) => denoised.data[0]));
    expect(seen.length).toBe(6);
  });
});

describe("numbers that are not finite", () => {
  it("are told of with the step they arose in", async () => {
    let calls = 0;
    const networks = smallNetworks();
    const breaking: Networks = {
      ...networks,
      predict: async (asked) => {
        const output = await networks.predict(asked);
        if (++calls === 4) output.data[3] = Number.POSITIVE_INFINITY;
        return output;
      },
    };
    const drawing = events(await request(), breaking);
    await expect(drawing).rejects.toThrow(RuntimeFailure);
    await expect(drawing).rejects.toThrow(
      "The U-Net's output in step 2 of 3 (timestep 679) of small is not a finite number; its weights are damaged, or an adapter or the guidance is too strong.",
    );
  });

  it("are told of when the autoencoder gives them", async () => {
    const decode = async () => float32([1, 3, 1, 1], [0, Number.NaN, 0]);
    const drawing = events(await request(), { ...smallNetworks(), decode });
    await expect(drawing).rejects.toThrow("The autoencoder's picture of small is not a finite number");
  });
});

describe("stopping", () => {
  it("ends before the next call, also between the decoded pictures of a batch", async () => {
    const stop = new AbortController();
    let decoded = 0;
    const networks = smallNetworks();
    const counting: Networks = {
      ...networks,
      decode: (latents) => {
        if (++decoded === 2) stop.abort();
        return networks.decode(latents);
      },
    };
    const drawing = events(await request({ batch: 5 }), counting, stop.signal);
    await expect(drawing).rejects.toMatchObject({ name: "AbortError" });
    expect(decoded).toBe(2);
  });
});

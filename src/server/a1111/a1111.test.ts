import sharp from "sharp";
import { StableDiffusionApi } from "stable-diffusion-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runServer, type TestServer, until } from "../../../test/running-server.ts";

const auth = { headers: { authorization: `Basic ${btoa("x:secret")}` } };
let server: TestServer;
let client: StableDiffusionApi;
beforeAll(async () => {
  server = await runServer({ apiKey: "secret" });
  client = new StableDiffusionApi({ host: "127.0.0.1", port: server.port, timeout: 120_000 });
  client.setAuth("anybody", "secret");
});
afterAll(() => server[Symbol.asyncDispose]());

const small = { width: 64, height: 64, steps: 2, sampler_name: "LCM", cfg_scale: 1 };

describe("A1111's client", () => {
  it("draws pictures with their settings", async () => {
    const result = await client.txt2img({
      prompt: "a red apple <lora:style-ink:0.7>",
      seed: 9,
      batch_size: 2,
      ...small,
    });
    expect(result.images).toHaveLength(2);
    expect(await result.image.metadata()).toMatchObject({ width: 64, height: 64 });
    const info = JSON.parse(result.info as string) as Record<string, unknown>;
    expect(info).toMatchObject({ seed: 9, all_seeds: [9, 10], steps: 2, sampler_name: "LCM", cfg_scale: 1, width: 64 });
    expect((info["infotexts"] as string[])[0]).toContain("<lora:style-ink:0.7>");
    // The client encodes pictures anew, which takes their texts away.
    expect((await client.pngInfo(result.image)).info).toEqual({});
    const image = (result.response.data as { images: string[] }).images[0];
    const read = (await (await server.ask("/sdapi/v1/png-info", { image }, auth)).json()) as Record<string, unknown>;
    expect(read["info"]).toBe((info["infotexts"] as string[])[0]);
    expect(read["parameters"]).toMatchObject({ Steps: "2", Seed: "9" });
  });

  it("draws with its own defaults of the sampler", async () => {
    const result = await client.txt2img({ prompt: "a cat", width: 64, height: 64, steps: 3 });
    expect(JSON.parse(result.info as string)).toMatchObject({ sampler_name: "Euler a", cfg_scale: 7 });
  });

  it("draws from a picture, and in a mask", async () => {
    const plain = (background: string) => sharp({ create: { width: 64, height: 64, channels: 3, background } }).png();
    const anew = await client.img2img({ prompt: "a red apple", init_images: [plain("#4060a0")], ...small });
    expect(anew.images).toHaveLength(1);
    const kept = await client
      .img2img({
        prompt: "a red apple",
        init_images: [plain("#4060a0")],
        mask_image: plain("white"),
        inpainting_mask_invert: 1,
        ...small,
      })
      .catch((error: { response?: { data?: unknown } }) => error.response?.data);
    expect(kept).toMatchObject({ detail: expect.stringContaining("nothing to repaint") });
  });

  it("asks what there is", async () => {
    expect((await client.getSdModels()).map(({ model_name: name }) => name)).toEqual(["fourstep-64"]);
    expect((await client.getSamplers()).map(({ name }) => name)).toContain("DPM++ 2M");
    expect((await client.getUpscalers()).map(({ name }) => name)).toEqual(["None"]);
    expect(await client.getHypernetworks()).toEqual([]);
    expect(await client.getCmdFlags()).toEqual({ api: true });
    expect(await client.getCurrentModel()).toBe("fourstep-64");
    await client.setModel("fourstep-64");
    await client.refreshCheckpoints();
    const loras = (await (await server.ask("/sdapi/v1/loras", undefined, auth)).json()) as { name: string }[];
    expect(loras.map(({ name }) => name)).toEqual(["lcm-lora", "style-3d", "style-ink"]);
    const memory = (await (await server.ask("/sdapi/v1/memory", undefined, auth)).json()) as { ram: { used: number } };
    expect(memory.ram.used).toBeGreaterThan(2 ** 20);
    expect((await server.ask("/sdapi/v1/schedulers", undefined, auth)).status).toBe(200);
  });

  it("follows the progress and interrupts", async () => {
    expect(await client.getProgress()).toMatchObject({ progress: 0, state: { job_count: 0 } });
    const drawing = client.txt2img({ prompt: "a cat", ...small, steps: 50, batch_size: 8 });
    const seen = await until(async () => {
      const progress = (await client.getProgress()) as { progress: number; state: { sampling_steps: number } };
      return progress.progress > 0 && progress;
    });
    expect(seen.state.sampling_steps).toBeGreaterThan(0);
    expect((await server.ask("/sdapi/v1/interrupt", {}, auth)).status).toBe(200);
    expect((await drawing).images).toHaveLength(0);
    await until(async () => (await server.queue.counts()).running === 0);
    expect((await server.queue.counts()).cancelled).toBe(1);
  });

  it("is told what is not known here", async () => {
    const refused = async (wishes: object): Promise<unknown> =>
      client
        .txt2img({ prompt: "x", ...small, ...wishes })
        .catch((error: { response?: { status: number; data: unknown } }) => ({
          status: error.response?.status,
          data: error.response?.data,
        }));
    expect(await refused({ enable_hr: true })).toMatchObject({
      status: 422,
      data: { error: "invalid", detail: expect.stringContaining("enable_hr") },
    });
    expect(await refused({ sampler_name: "No such" })).toMatchObject({ status: 422 });
    expect(await refused({ width: 4096 })).toMatchObject({
      status: 422,
      data: { detail: expect.stringContaining("4096") },
    });
    expect(await refused({ alwayson_scripts: { x: { args: [1] } } })).toMatchObject({ status: 422 });
  });
});

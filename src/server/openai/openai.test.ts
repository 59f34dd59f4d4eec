import OpenAI, { APIError, toFile } from "openai";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runServer, type TestServer } from "../../../test/running-server.ts";
import { readPngText } from "../../formats/png-text.ts";

let server: TestServer;
let client: OpenAI;
beforeAll(async () => {
  server = await runServer({ apiKey: "a key" });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "a key", maxRetries: 0 });
});
afterAll(() => server[Symbol.asyncDispose]());

const pixels = async (png: Uint8Array): Promise<Buffer> => sharp(png).removeAlpha().raw().toBuffer();
const extra = (fields: object): object => fields;

describe("OpenAI's client", () => {
  it("draws pictures as base64 and by address, the same for the same seed", async () => {
    const wishes = { prompt: "a red apple", n: 2, ...extra({ seed: 5 }) };
    const first = await client.images.generate({ ...wishes, response_format: "b64_json", size: "auto" });
    const second = await client.images.generate({ ...wishes, response_format: "url" });
    expect(first.data).toHaveLength(2);
    const encoded = first.data!.map(({ b64_json: text }) => Buffer.from(text!, "base64"));
    const fetched = await Promise.all(
      second.data!.map(async ({ url }) => Buffer.from(await (await fetch(url!)).arrayBuffer())),
    );
    expect(fetched).toEqual(encoded);
    const texts = await Promise.all(encoded.map((png) => readPngText(png, "picture")));
    expect(texts.map((text) => /Seed: (\d+)/.exec(text.get("parameters")!)?.[1])).toEqual(["5", "6"]);
    expect(await sharp(encoded[0]).metadata()).toMatchObject({ width: 64, height: 64, format: "png" });
  });

  it("gets other formats and sizes", async () => {
    const { data } = await client.images.generate({
      prompt: "a green apple",
      size: "64x48" as "auto",
      response_format: "b64_json",
      output_format: "webp",
    });
    const picture = Buffer.from(data![0]!.b64_json!, "base64");
    expect(await sharp(picture).metadata()).toMatchObject({ width: 64, height: 48, format: "webp" });
  });

  it("repaints what is transparent in the mask, and nothing else", async () => {
    const grey = { width: 64, height: 64, channels: 3, background: { r: 90, g: 120, b: 200 } } as const;
    const picture = await sharp({ create: grey }).png().toBuffer();
    const alpha = Buffer.alloc(64 * 64, 255);
    for (let y = 32; y < 64; y++) alpha.fill(0, y * 64, y * 64 + 64);
    const mask = await sharp(picture)
      .joinChannel(alpha, { raw: { width: 64, height: 64, channels: 1 } })
      .png()
      .toBuffer();
    const { data } = await client.images.edit({
      image: await toFile(picture, "picture.png", { type: "image/png" }),
      mask: await toFile(mask, "mask.png", { type: "image/png" }),
      prompt: "a red apple",
      response_format: "b64_json",
      ...extra({ seed: 3 }),
    });
    const [before, after] = [await pixels(picture), await pixels(Buffer.from(data![0]!.b64_json!, "base64"))];
    const upper = 64 * 28 * 3;
    expect(after.subarray(0, upper)).toEqual(before.subarray(0, upper));
    const lower = 64 * 36 * 3;
    expect(after.subarray(lower).equals(before.subarray(lower))).toBe(false);
  });

  it("draws a picture anew without a mask", async () => {
    const image = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#803020" } })
      .jpeg()
      .toBuffer();
    const drawn = await client.images.edit({
      image: [await toFile(image, "a.jpg", { type: "image/jpeg" })],
      prompt: "a red apple",
      response_format: "b64_json",
      ...extra({ strength: 0.5, steps: 2 }),
    });
    expect(drawn.data).toHaveLength(1);
  });

  it("lists models", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id, owned_by }) => [id, owned_by])).toEqual([["fourstep-64", "fourstep"]]);
    expect(await client.models.retrieve("fourstep-64")).toMatchObject({ object: "model", id: "fourstep-64" });
  });
});

describe("what is wrong is told in OpenAI's form", () => {
  const refused = async (asking: Promise<unknown>): Promise<APIError> => {
    const error = await asking.then(() => undefined).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(APIError);
    return error as APIError;
  };

  it("of a model that is not here", async () => {
    const error = await refused(client.images.generate({ prompt: "x", model: "dall-e-3" }));
    expect(error).toMatchObject({
      status: 404,
      code: "model_not_found",
      param: "model",
      type: "invalid_request_error",
    });
    expect(await refused(client.models.retrieve("../../etc"))).toMatchObject({ status: 404 });
  });

  it.each([
    [{ prompt: "" }, "prompt"],
    [{ prompt: "x", n: 0 }, "n"],
    [{ prompt: "x", size: "big" as "auto" }, "size"],
    [{ prompt: "x", size: "4096x4096" as "auto" }, "size"],
    [{ prompt: "x", n: 17 }, "count"],
    [{ prompt: "x", sampler: "none such" }, "sampler"],
  ])("of %j", async (wishes, param) => {
    expect(await refused(client.images.generate(wishes))).toMatchObject({ status: 400, param });
  });

  it("of a size that the model does not draw", async () => {
    const error = await refused(client.images.generate({ prompt: "x", size: "65x64" as "auto" }));
    expect(error).toMatchObject({ status: 400 });
    expect(error.message).toContain("try 64x64");
  });

  it("of a key", async () => {
    const other = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "another", maxRetries: 0 });
    expect(await refused(other.models.list())).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("of a picture that is none", async () => {
    const image = await toFile(Buffer.from("no picture"), "a.png", { type: "image/png" });
    expect(await refused(client.images.edit({ image, prompt: "x" }))).toMatchObject({ status: 400, param: "image" });
  });
});

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runFourstep } from "../../../test/cli-run.ts";
import { gitHash, type HubServer, isLarge, sha256, startHubServer } from "../../../test/hub-server.ts";
import { tinyLora, tinyModelFiles } from "../../../test/tiny-model.ts";
import { openModel } from "../open-model.ts";
import { resolveAutoencoder, resolveFile, resolveModel } from "./models.ts";
import type { HubOptions, HubProgress } from "./snapshot.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const tiny = tinyModelFiles();
const extra: [string, Uint8Array][] = [
  ["README.md", text("# tiny")],
  ["unet/diffusion_pytorch_model.bin", text("a pickle")],
  ["unet/diffusion_pytorch_model.fp16.safetensors", text("half")],
  ["safety_checker/model.safetensors", text("unused")],
  ["v1-5-pruned.safetensors", text("unused")],
];
const numbers = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 251);
const unet = "unet/diffusion_pytorch_model.safetensors";

let server: HubServer;
let place = "";
let cache = "";

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), "fourstep-hub-"));
  const lora = new Map([["pytorch_lora_weights.safetensors", tinyLora("lcm")]]);
  server = await startHubServer({
    "owner/tiny": { commit, files: new Map([...extra, ...tiny]) },
    "owner/lcm-lora-tiny": { commit, files: lora },
    "owner/gated": { commit, files: tiny, closed: "gated" },
    "owner/private": { commit, files: tiny, closed: "private" },
    "owner/single": {
      commit,
      files: new Map([
        ["a.safetensors", numbers],
        ["README.md", text("one")],
      ]),
    },
    "owner/several": {
      commit,
      files: new Map([
        ["a.safetensors", numbers],
        ["b.safetensors", numbers],
      ]),
    },
    "owner/vae": {
      commit,
      files: new Map([
        ["config.json", tiny.get("vae/config.json")!],
        ["diffusion_pytorch_model.safetensors", tiny.get("vae/diffusion_pytorch_model.safetensors")!],
        ["diffusion_pytorch_model.bin", text("a pickle")],
      ]),
    },
    "owner/evil": { commit, files: new Map([["../../a.safetensors", numbers]]) },
  });
});
afterAll(async () => {
  await server.close();
  await rm(place, { recursive: true });
});
beforeEach(async () => {
  cache = await mkdtemp(join(place, "cache-"));
});
afterEach(() => {
  server.fetched.length = 0;
  server.asked.length = 0;
  server.faults.length = 0;
});

const hub = (env: Record<string, string> = {}, rest: Partial<HubOptions> = {}): HubOptions => ({
  env: { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_HOME: place, ...env },
  pauseMs: 1,
  ...rest,
});
const blobOf = (path: string, bytes: Uint8Array): string => (isLarge(path) ? sha256(bytes) : gitHash(bytes));
const root = (name: string): string => join(cache, `models--owner--${name}`);

describe("resolveAutoencoder", () => {
  it("fetches a repository's configuration and weights, of a whole model its autoencoder alone", async () => {
    expect(await resolveAutoencoder(join(place, "nowhere"), hub())).toBe(join(place, "nowhere"));
    const own = await resolveAutoencoder("owner/vae", hub());
    expect(readdirSync(own).sort()).toEqual(["config.json", "diffusion_pytorch_model.safetensors"]);
    server.fetched.length = 0;
    const part = await resolveAutoencoder("owner/tiny", hub());
    expect(readdirSync(part).sort()).toEqual(["config.json", "diffusion_pytorch_model.safetensors"]);
    expect(server.fetched.every((path) => path.includes("vae/"))).toBe(true);
    expect(readFileSync(await resolveAutoencoder("owner/single", hub())).length).toBe(numbers.length);
  });

  it("says what is missing", async () => {
    await expect(resolveAutoencoder("owner/several", hub())).rejects.toThrow("neither an autoencoder's config.json");
  });
});

describe("resolveModel", () => {
  it("leaves paths alone, and what can be no id", async () => {
    const folder = join(place, "owner", "here");
    await mkdir(folder, { recursive: true });
    for (const path of [folder, join(place, "nowhere"), "tiny", "../owner/tiny", "./owner/tiny"]) {
      expect((await resolveModel(path, undefined, hub())).path).toBe(path);
    }
    expect(server.asked).toEqual([]);
  });

  it("fetches what a model needs into the layout that all of the hub's libraries share", async () => {
    const seen: HubProgress[] = [];
    const { path, name } = await resolveModel("owner/tiny", undefined, hub({}, { onProgress: (p) => seen.push(p) }));
    expect(name).toBe("tiny");
    expect(path).toBe(join(root("tiny"), "snapshots", commit));
    expect(readFileSync(join(root("tiny"), "refs", "main"), "utf8")).toBe(commit);
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
    const names = files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
    expect(names.sort()).toEqual([...tiny.keys()].sort());
    for (const [file, bytes] of tiny) {
      const up = "../".repeat(file.split("/").length + 1);
      expect(readlinkSync(join(path, file))).toBe(`${up}blobs/${blobOf(file, bytes)}`);
      expect(readFileSync(join(path, file)).equals(bytes)).toBe(true);
    }
    expect(readdirSync(join(root("tiny"), "blobs")).sort()).toEqual(
      [...new Set([...tiny].map(([file, bytes]) => blobOf(file, bytes)))].sort(),
    );
    const last = seen.at(-1)!;
    expect(last.received).toBe(last.total);
    expect(last.total).toBe([...tiny.values()].reduce((sum, { length }) => sum + length, 0));

    const { folder, files: model } = await openModel(path);
    expect(model.unet.weights.tensors.size).toBeGreaterThan(0);
    await folder.close();
  });

  it("fetches nothing twice, and a tag's files only where they differ", async () => {
    await resolveModel("owner/tiny", undefined, hub());
    server.fetched.length = 0;
    await resolveModel("owner/tiny@v1", undefined, hub());
    await resolveModel(`owner/tiny@${commit}`, undefined, hub());
    expect(server.fetched).toEqual([]);
    expect(readFileSync(join(root("tiny"), "refs", "v1"), "utf8")).toBe(commit);
  });

  it("takes the variant of the weights that is asked for, where there is one", async () => {
    const { path } = await resolveModel("owner/tiny", "fp16", hub());
    expect(readdirSync(join(path, "unet")).sort()).toEqual(["config.json", "diffusion_pytorch_model.fp16.safetensors"]);
    expect(readdirSync(join(path, "vae"))).toContain("diffusion_pytorch_model.safetensors");
    await expect(resolveModel("owner/tiny", "bf16", hub())).rejects.toThrow(
      'no part has weights of the variant "bf16"',
    );
  });

  it("takes the only checkpoint of a repository, or the one that is named", async () => {
    const single = await resolveModel("owner/single", undefined, hub());
    expect(single.name).toBe("a.safetensors");
    expect(readFileSync(single.path).equals(numbers)).toBe(true);
    await expect(resolveModel("owner/several", undefined, hub())).rejects.toThrow(
      "owner/several: there are 2 files (a.safetensors, b.safetensors); name one of them, as owner/several/a.safetensors.",
    );
    expect((await resolveModel("owner/several/b.safetensors@v1", undefined, hub())).name).toBe("b.safetensors");
    await expect(resolveModel("owner/several/c.ckpt", undefined, hub())).rejects.toThrow("there is no file c.ckpt");
  });
});

describe("a broken download", () => {
  const single = (rest: Partial<HubOptions> = {}): Promise<Buffer> =>
    resolveModel("owner/single", undefined, hub({}, rest)).then(({ path }) => readFileSync(path));

  it("goes on where it was cut", async () => {
    server.faults.push({ path: "a.safetensors", kind: "cut", after: 100_000 });
    server.faults.push({ path: "a.safetensors", kind: "busy" });
    server.faults.push({ path: "a.safetensors", kind: "cut", after: 50_000 });
    expect((await single()).equals(numbers)).toBe(true);
    const ranges = server.fetched.map((request) => Number(/bytes=(\d+)/.exec(request)?.[1] ?? 0));
    expect(ranges[0]).toBe(0);
    expect(ranges.at(-1)).toBeGreaterThan(0);
    expect(ranges).toEqual(ranges.toSorted((a, b) => a - b));
  });

  it("goes on in a later run, from what an earlier one left", async () => {
    for (let i = 0; i < 9; i++) server.faults.push({ path: "a.safetensors", kind: "busy" });
    server.faults.unshift({ path: "a.safetensors", kind: "cut", after: 120_000 });
    await expect(single()).rejects.toThrow(/owner\/single: the download of a\.safetensors broke off/);
    const blobs = join(root("single"), "blobs");
    expect(readdirSync(blobs)).toEqual([`${sha256(numbers)}.incomplete`]);
    const left = readFileSync(join(blobs, `${sha256(numbers)}.incomplete`)).length;
    server.faults.length = 0;
    server.fetched.length = 0;
    expect((await single()).equals(numbers)).toBe(true);
    expect(server.fetched).toEqual([`a.safetensors bytes=${left}-${numbers.length - 1}`]);
    expect(readdirSync(blobs)).toEqual([sha256(numbers)]);
  });

  it("begins anew where the server knows no ranges", async () => {
    server.faults.push(
      { path: "a.safetensors", kind: "cut", after: 1000 },
      { path: "a.safetensors", kind: "no-range" },
    );
    expect((await single()).equals(numbers)).toBe(true);
  });

  it("is refused when its content is not what the hub says, and leaves nothing", async () => {
    const wrong = { path: "a.safetensors", kind: "wrong-bytes" } as const;
    server.faults.push(wrong, wrong);
    await expect(single()).rejects.toThrow("a.safetensors: its content differs from what owner/single says");
    expect(readdirSync(join(root("single"), "blobs"))).toEqual([]);
    expect((await single()).equals(numbers)).toBe(true);
  });

  it("stops when it is told", async () => {
    const stop = new AbortController();
    const stopped = single({ signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("what the hub refuses", () => {
  it.each([
    [
      "owner/nobody",
      {},
      /^owner\/nobody: there is no such file or folder here, and no such model at http.*, unless it is private/,
    ],
    ["owner/nobody", { HF_TOKEN: "hf_right" }, /no such model at .* use a token that may read it/],
    ["owner/private", {}, /unless it is private; check the name, or set HF_TOKEN/],
    [
      "owner/gated",
      {},
      /^owner\/gated: this model is gated; accept its terms at http.*\/owner\/gated and set HF_TOKEN/,
    ],
    ["owner/tiny@nowhere", {}, /^owner\/tiny: there is no revision "nowhere" of this model/],
    ["owner/tiny", { HF_TOKEN: "secret" }, /^owner\/tiny: Your access token must start with 'hf_'/],
    ["owner/evil", {}, /the hub names a file "\.\.\/\.\.\/a\.safetensors", which leads out of the model/],
  ])("%s %j", async (id, env, sentence) => {
    await expect(resolveModel(id, undefined, hub(env))).rejects.toThrow(sentence);
  });

  it("is given to those who may have it", async () => {
    for (const id of ["owner/private", "owner/gated"]) {
      const { path } = await resolveModel(id, undefined, hub({ HF_TOKEN: "hf_right" }));
      expect(readFileSync(join(path, unet)).equals(tiny.get(unet)!)).toBe(true);
    }
  });
});

describe("without the hub", () => {
  let endpoint = "";
  beforeAll(async () => {
    const gone = await startHubServer({});
    endpoint = gone.endpoint;
    await gone.close();
  });

  it("the cache answers, when it is told to or must", async () => {
    const { path } = await resolveModel("owner/tiny", undefined, hub());
    const offline = await resolveModel("owner/tiny", undefined, hub({ HF_ENDPOINT: endpoint, HF_HUB_OFFLINE: "1" }));
    expect(offline.path).toBe(path);
    const warnings: string[] = [];
    const unreachable = await resolveModel(
      "owner/tiny",
      undefined,
      hub({ HF_ENDPOINT: endpoint }, { onWarning: (w) => warnings.push(w) }),
    );
    expect(unreachable.path).toBe(path);
    expect(warnings).toEqual([`${endpoint} cannot be reached; owner/tiny comes from the cache.`]);
  });

  it("what the cache lacks is said", async () => {
    await expect(resolveModel("owner/tiny", undefined, hub({ HF_HUB_OFFLINE: "1" }))).rejects.toThrow(
      /^owner\/tiny: HF_HUB_OFFLINE is set.* holds nothing; fetch it online once\.$/,
    );
    await expect(resolveModel("owner/tiny", undefined, hub({ HF_ENDPOINT: endpoint }))).rejects.toThrow(
      /^owner\/tiny: http:\/\/127\.0\.0\.1:\d+ cannot be reached \(\w+\), and the cache .* does not hold the model\.$/,
    );
    expect(server.asked).toEqual([]);
  });
});

describe("resolveFile", () => {
  it("fetches a LoRA by its id and keeps its weight", async () => {
    const path = join(root("lcm-lora-tiny"), "snapshots", commit, "pytorch_lora_weights.safetensors");
    expect(await resolveFile("owner/lcm-lora-tiny", hub())).toBe(path);
    expect(await resolveFile("owner/lcm-lora-tiny@main:0.5", hub())).toBe(`${path}:0.5`);
    expect(await resolveFile("style-flat:0.5", hub())).toBe("style-flat:0.5");
    const own = join(place, "own.safetensors");
    await writeFile(own, "");
    expect(await resolveFile(`${own}:2`, hub())).toBe(`${own}:2`);
  });
});

describe("fourstep inspect", () => {
  it("says what a model and a LoRA are by their ids", async () => {
    const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_HOME: place };
    const model = await runFourstep(["inspect", "owner/tiny", "--json"], { env });
    expect(model).toMatchObject({ code: 0, stderr: expect.stringContaining("fetching owner/tiny") });
    expect(JSON.parse(model.stdout)).toMatchObject({ kind: "model", name: "owner/tiny" });
    const lora = await runFourstep(["inspect", "owner/lcm-lora-tiny", "--model", "owner/tiny", "--json"], { env });
    expect(JSON.parse(lora.stdout)).toMatchObject({ kind: "lora" });
  });
});

describe("fourstep generate", () => {
  it("draws with a model and a LoRA by their ids, and says in one sentence what the hub refuses", async () => {
    const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_HOME: place };
    const args = ["generate", "a red apple", "--json", "--seed", "7", "--out", join(cache, "out")];
    const drawn = await runFourstep([...args, "--model", "owner/tiny", "--lora", "owner/lcm-lora-tiny"], { env });
    expect({ code: drawn.code, stderr: drawn.stderr }).toMatchObject({ code: 0 });
    expect(drawn.stderr).toContain("fetching owner/tiny");
    expect(JSON.parse(drawn.stdout)).toMatchObject({ sampler: "lcm", steps: 4 });
    const refused = await runFourstep([...args, "--model", "owner/gated"], { env });
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^fourstep: owner\/gated: this model is gated; [^\n]*\n$/);
  });
});

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { drawTinyPictures, tinyConfig } from "../../test/training/tiny.ts";
import type { JsonObject } from "../formats/json.ts";
import { main } from "./main.ts";

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-train-"));
  await drawTinyPictures(join(root, "pictures"));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

interface Result {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

async function fourstep(args: readonly string[], signal = new AbortController().signal): Promise<Result> {
  let [out, errors] = ["", ""];
  const code = await main(args, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    env: {},
    signal,
  });
  return { code, out, errors };
}

async function train(kind: string, config: JsonObject | string, ...more: string[]): Promise<Result> {
  const path = join(root, "config.json");
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  return fourstep(["train", kind, "--config", path, ...more]);
}

const ae = (changes: JsonObject = {}): JsonObject => ({
  ...tinyConfig("autoencoder", root),
  workers: 1,
  accumulate: 1,
  ...changes,
});

describe("what cannot be trained is said in one sentence", () => {
  test.each<[string, JsonObject, string]>([
    ["autoencoder", { stepz: 3 }, '"stepz" is not a key of this config; did you mean "steps"?'],
    ["autoencoder", { steps: 0 }, '"steps" must be a whole number of at least 1, but it is'],
    ["autoencoder", { data: "nowhere-at-all" }, "the picture set nowhere-at-all cannot be opened"],
    ["autoencoder", { data: [] }, '"data" must be the folder of the pictures'],
    ["autoencoder", { split: "test" }, 'has no picture in the split "test"; its splits are "train"'],
    ["autoencoder", { vae: { use_quant_conv: false } }, '"vae" must have use_quant_conv and use_post_quant_conv'],
    ["autoencoder", { vae: { norm_num_groups: "two" } }, 'vae/config.json: "norm_num_groups" is not understood'],
    ["autoencoder", { accumulate: 3, workers: 2 }, '"accumulate" must be a multiple of "workers"'],
    ["base", { autoencoder: "nowhere-at-all" }, "nowhere-at-all: there is no such folder"],
    ["lcd", { base: "nowhere-at-all" }, "nowhere-at-all: there is no such folder"],
    ["lcd", { method: "full", emaDecay: 0 }, '"emaDecay" must be above 0 where "method" is "full"'],
    ["lcf", { base: "src" }, "model_index.json is missing"],
  ])("%s %o", async (kind, changes, sentence) => {
    const { code, out, errors } = await train(kind, { ...tinyConfig(kind, root), ...changes });
    expect(errors).toContain(sentence);
    expect(errors.trim().split("\n")).toHaveLength(1);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  test("an unknown kind, a missing file, a file that is no JSON", async () => {
    expect((await train("autoencodr", ae())).errors).toContain("did you mean autoencoder?");
    expect((await train("base", "{")).code).toBe(2);
    const { code, errors } = await fourstep(["train", "base", "--config", join(root, "absent.json")]);
    expect(code).toBe(2);
    expect(errors).toContain("absent.json: the config cannot be read");
    expect((await fourstep(["train", "base"])).code).toBe(2);
  });
});

describe("pictures that cannot be read", () => {
  test("are named, counted and left out", { timeout: 600_000 }, async () => {
    const folder = join(root, "broken");
    await drawTinyPictures(folder);
    const whole = await readFile(join(folder, "red-ball.png"));
    await writeFile(join(folder, "red-ball.png"), whole.subarray(0, 60));
    await writeFile(join(folder, "red-box.png"), "no picture");
    const { code, out, errors } = await train("autoencoder", ae({ data: folder, output: join(root, "broken-run") }));
    expect(errors).toContain("skipped 2 pictures: red-ball.png (");
    expect(errors).toContain("red-box.png");
    expect(errors).toContain("10 pictures of ");
    expect({ code, out }).toEqual({ code: 0, out: `${join(root, "broken-run/vae")}\n` });
  });

  test("stop the run where none is left", async () => {
    const folder = join(root, "all-broken");
    await drawTinyPictures(folder);
    for (const line of (await readFile(join(folder, "metadata.jsonl"), "utf8")).trim().split("\n")) {
      await writeFile(join(folder, JSON.parse(line).file_name), "no picture");
    }
    const { code, errors } = await train("autoencoder", ae({ data: folder, output: join(root, "none") }));
    expect(code).toBe(2);
    expect(errors).toMatch(/has no picture to train on: skipped 12 pictures: .* and 9 more/);
  });
});

describe("a run's folder", { timeout: 600_000 }, () => {
  test("is gone on with only when asked, only as it began, and gives one JSON object a step", async () => {
    const config = ae({ output: join(root, "run"), steps: 2, schedule: "constant" });
    const first = await train("autoencoder", config, "--json");
    expect(first.code).toBe(0);
    const lines = first.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ step }) => step)).toEqual([1, 2]);
    for (const line of lines) expect(line).toMatchObject({ loss: expect.any(Number), rate: 2e-3, pictures: 2 });

    const again = await train("autoencoder", config);
    expect(again.code).toBe(2);
    expect(again.errors).toContain("holds a run at step 2; go on with it by --resume");
    const other = await train("autoencoder", { ...config, seed: 5 }, "--resume");
    expect(other.code).toBe(2);
    expect(other.errors).toContain("seed (was 0, is 5)");
    // More steps at a constant rate are no other run.
    const longer = await train("autoencoder", { ...config, steps: 3 }, "--resume", "--json");
    expect(longer.errors).toContain("going on after step 2");
    expect(
      longer.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).step),
    ).toEqual([3]);

    await rm(join(root, "pictures/blue-box.png"));
    const changed = await train("autoencoder", { ...config, steps: 4 }, "--resume");
    expect(changed.code).toBe(2);
    expect(changed.errors).toContain("the pictures of this run changed since it began");
    await drawTinyPictures(join(root, "pictures"));
  });

  test("that is stopped before its first step can be begun again", async () => {
    const config = join(root, "stopped.json");
    await writeFile(config, JSON.stringify(ae({ output: join(root, "stopped") })));
    const stop = new AbortController();
    stop.abort();
    const { code, errors } = await fourstep(["train", "autoencoder", "--config", config], stop.signal);
    expect(code).toBe(130);
    expect(errors).toContain(`go on with: fourstep train autoencoder --config ${config} --resume`);
  });
});

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";

let folder = "";
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-arithmetic-"));
  await writeTinyModel(at("base"));
  await writeFile(at("style.safetensors"), tinyLora("style", 3));
  await writeFile(at("lcm.safetensors"), tinyLora("lcm", 2));
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await runFourstep([...args, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe("fourstep merge, extract and compare", () => {
  it("merge a LoRA into a model, extract it again, and find it the same", async () => {
    const merged = await run("merge", at("base"), "--add", `${at("style.safetensors")}:0.8`, "--out", at("tuned"));
    expect(merged).toMatchObject({ output: at("tuned") });
    expect(merged["modules"]).toBeGreaterThan(20);
    expect(merged["maxError"]).toBeLessThan(1e-6);
    const out = at("again.safetensors");
    const extracted = await run("extract", at("tuned"), at("base"), "--rank", "3", "--type", "fp32", "--out", out);
    expect(extracted).toMatchObject({ output: out, modules: merged["modules"], leftOut: [] });
    expect(extracted["maxError"]).toBeLessThan(1e-3);
    const compared = await run(
      "compare",
      out,
      at("style.safetensors"),
      "--base",
      at("base"),
      "--heatmap",
      at("map.png"),
    );
    expect(compared).toMatchObject({ output: at("map.png"), modules: merged["modules"], maxError: 0 });
    const { cosine, normA, normB } = compared["all"] as Record<string, number>;
    expect(cosine).toBeCloseTo(1, 5);
    expect(normA! / normB!).toBeCloseTo(0.8, 5);
    expect((await readFile(at("map.png"))).subarray(1, 4).toString()).toBe("PNG");
  });

  it("merges LoRAs into one", async () => {
    const out = at("both.safetensors");
    const merged = await run(
      "merge",
      `${at("style.safetensors")}:0.8`,
      "--add",
      at("lcm.safetensors"),
      "--model",
      at("base"),
      "--out",
      out,
    );
    expect(merged["error"]).toBeLessThan(1e-3);
    const lower = await run("merge", out, "--rank", "2", "--model", at("base"), "--out", at("lower.safetensors"));
    expect(lower["error"]).toBeGreaterThan(merged["error"] as number);
    const { stdout } = await runFourstep(["inspect", out, "--model", at("base"), "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "lora",
      rank: 5,
      unmatched: [],
      metadata: { ss_network_dim: "5" },
    });
  });

  it("gives a model that an LCM-LoRA was added to the scheduler for it", async () => {
    const scheduler = async (name: string): Promise<unknown> => {
      const json = async (path: string): Promise<Record<string, unknown>> =>
        JSON.parse(await readFile(join(at(name), path), "utf8")) as Record<string, unknown>;
      const { _class_name: configured } = await json("scheduler/scheduler_config.json");
      expect((await json("model_index.json"))["scheduler"]).toEqual(["diffusers", configured]);
      return configured;
    };
    const usual = await scheduler("base");
    const { stderr } = await runFourstep(["merge", at("base"), "--add", at("lcm.safetensors"), "--out", at("fast")]);
    expect(stderr).toContain("an LCM-LoRA is in it: draw it in 4 steps of lcm");
    expect(await scheduler("fast")).toBe("LCMScheduler");
    const { stdout } = await runFourstep(["generate", "a", "--model", at("fast"), "--out", at("drawn"), "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ sampler: "lcm", steps: 4, guidance: 1, networkCalls: 4 });
    await run("merge", at("base"), "--subtract", at("lcm.safetensors"), "--out", at("slow"));
    expect(await scheduler("slow")).toBe(usual);
    const sum = [at("style.safetensors"), "--add", at("lcm.safetensors"), "--model", at("base")];
    await run("merge", ...sum, "--out", at("sum.safetensors"));
    const drawn = await runFourstep([
      ...["generate", "a", "--model", at("base"), "--lora", at("sum.safetensors")],
      ...["--out", at("drawn"), "--json"],
    ]);
    expect(JSON.parse(drawn.stdout)).toMatchObject({ sampler: "lcm", steps: 4, guidance: 1 });
  });

  it("takes the rounding of an fp16 file for no change", async () => {
    const [style, half] = [at("style.safetensors"), at("half")];
    const merged = await run("merge", at("base"), "--add", style, "--type", "fp16", "--out", half);
    const out = at("of-half.safetensors");
    const extracted = await run("extract", half, at("base"), "--rank", "3", "--out", out);
    expect(extracted).toMatchObject({ modules: merged["modules"], leftOut: [] });
  });

  it("prints a table of blocks", async () => {
    const { code, stdout } = await runFourstep([
      "compare",
      at("style.safetensors"),
      at("lcm.safetensors"),
      "--base",
      at("base"),
    ]);
    expect(code).toBe(0);
    for (const word of ["down_blocks.0", "mid_block", "up_blocks.1", "all", "cosine"]) expect(stdout).toContain(word);
  });

  const style = "style.safetensors";
  it.each([
    [["merge", "base", "--out", "x"], /--add or --subtract/],
    [["merge", "nowhere", "--add", style, "--out", "x"], /there is no such file or folder/],
    [["merge", "base", "--add", `${style}:much`, "--out", "x"], /weight must be a number/],
    [["merge", "base", "--add", style, "--out", "x.safetensors"], /is a folder, so its result is one/],
    [["merge", "base", "--add", style, "--rank", "3", "--out", "x"], /--rank is for LoRAs/],
    [["merge", "base", "--add", style, "--factors", "--out", "x"], /--factors is for merging LoRAs/],
    [["merge", "base", "--add", style, "--density", "0.5", "--out", "x"], /--density has no meaning/],
    [["merge", "base", "--add", style, "--method", "slerp", "--out", "x"], /slerp goes between two models/],
    [["merge", "base", "--add", style, "--method", "ties", "--density", "0", "--out", "x"], /density is 0/],
    [["merge", style, "--add", "base", "--out", "x.safetensors"], /name the model first/],
    [["extract", "base", "base", "--out", "x.safetensors"], /--rank 16, --energy 0.99/],
    [["extract", "base", "base", "--rank", "2", "--out", "x.safetensors"], /nothing to extract/],
    [["extract", style, "base", "--rank", "2", "--out", "x.safetensors"], /a model is expected/],
    [["compare", style, "base"], /name that with --base/],
    [["compare", style, style, "--heatmap", "x.gif"], /written as .svg or .png/],
  ] as const)("refuses %s in one sentence and leaves nothing behind", async (words, reason) => {
    const before = await readdir(folder);
    const args = words.map((word) => (/^(base|nowhere|style|x\b)/.test(word) ? at(word) : word));
    const { code, stdout, stderr } = await runFourstep(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(reason);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(await readdir(folder)).toEqual(before);
  });
});

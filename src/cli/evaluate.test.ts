import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, type CliWorld, runFourstep } from "../../test/cli-run.ts";
import { writeMeasures } from "../../test/evaluation-networks.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { drawTinyPictures } from "../../test/training/tiny.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { float32 } from "../tensor/tensor.ts";

let root = "";
const at = (...names: readonly string[]): string => join(root, ...names);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "fourstep-evaluate-"));
  await writeTinyModel(at("tiny"));
  await writeTinyModel(at("bare"));
  await mkdir(at("tiny", "lora"));
  await writeFile(at("tiny", "lora", "lcm-lora.safetensors"), tinyLora("lcm"));
  await drawTinyPictures(at("pictures"));
  await writeMeasures(at("measures"));
});
afterAll(() => rm(root, { recursive: true }));

const rows = ["--row", "ddim:4", "--row", "lcm:2"];

function evaluate(args: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  const has = (name: string): boolean => args.includes(name);
  return runFourstep(
    [
      "evaluate",
      ...(has("--model") ? [] : ["--model", at("tiny")]),
      ...(has("--data") ? [] : ["--data", at("pictures")]),
      ...(has("--measures") || has("--features") ? [] : ["--measures", at("measures")]),
      ...(has("--row") ? [] : rows),
      ...(has("--captions") ? [] : ["--captions", "2"]),
      ...(has("--per-caption") || has("--quick") ? [] : ["--per-caption", "1"]),
      ...(has("--resamples") ? [] : ["--resamples", "5"]),
      ...(has("--candidates") ? [] : ["--candidates", "3"]),
      ...args,
    ],
    world,
  );
}

interface Row {
  readonly [name: string]: unknown;
  readonly frechet: number;
  readonly intervals: Readonly<Record<string, readonly [number, number]>>;
}

async function rowsOf(args: readonly string[], world: CliWorld = {}): Promise<readonly Row[]> {
  const { code, stdout, stderr } = await evaluate([...args, "--json"], world);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return (JSON.parse(stdout) as { rows: Row[] }).rows;
}

/** Rows without what a clock says. */
const timeless = (all: readonly Row[]): unknown =>
  all.map(({ secondsPerImage, secondsPerCall, intervals: { secondsPerImage: _, ...intervals }, ...row }) => ({
    ...row,
    intervals,
  }));

describe("fourstep evaluate", () => {
  it("writes the table in all forms, and a report that needs no other file", async () => {
    const out = at("whole");
    const found = await rowsOf(["--per-caption", "2", "--out", out]);
    expect(found).toMatchObject([
      { sampler: "ddim", steps: 4, networkCalls: 8, guidance: 4, accelerated: false, images: 4 },
      { sampler: "lcm", steps: 2, networkCalls: 2, guidance: 1, accelerated: true, images: 4 },
    ]);
    for (const row of found) {
      expect(row["features"]).toMatch(/^squeezenet-1\.1 512, torchvision resizing, weights [0-9a-f]{12}$/);
      expect(row.frechet).toBeGreaterThan(0);
      expect(row["distances"]).toMatchObject([{ counts: [12, 4], conditionalFrechet: expect.any(Number) }]);
      for (const name of ["secondsPerImage", "secondsPerCall", "lpips", "lpipsDiversity"])
        expect(row[name], name).toBeGreaterThan(0);
      expect(row["captionRetrieval"]).toBeGreaterThanOrEqual(0);
      const [low, high] = row.intervals["lpips"]!;
      expect(low).toBeLessThanOrEqual(row["lpips"] as number);
      expect(high).toBeGreaterThanOrEqual(row["lpips"] as number);
    }
    expect(found[0]!["lpipsTeacher"]).toBeNull();
    expect(found[1]!["lpipsTeacher"]).toBeGreaterThan(0);
    const read = (name: string): Promise<string> => readFile(join(out, name), "utf8");
    expect(await read("table.txt")).toContain("LCM-LoRA 2 against DDIM 4: Frechet");
    expect(await read("table.md")).toMatch(
      /^\| sampler \| steps \| calls \| s\/image \| Frechet \| at infinity \| kernel \|/,
    );
    const [head = "", ...lines] = (await read("table.csv")).trimEnd().split("\r\n");
    expect(lines).toHaveLength(2);
    expect(head.split(",")).toEqual(
      expect.arrayContaining(["frechet", "frechet_low", "lpips_high", "features", "conditionalFrechet"]),
    );
    expect(JSON.parse(await read("table.json"))).toMatchObject({ rows: found, settings: { perCaption: 2 } });
    const report = await read("report.html");
    expect(report).toContain("data:image/png;base64,");
    expect(report).not.toMatch(/(?:src|href)="(?!data:)/);
    expect(existsSync(join(out, "pictures"))).toBe(false);
  });

  it("prints CSV or Markdown on demand, and nothing else on stdout", async () => {
    const csv = await evaluate(["--csv", "--out", at("csv")]);
    expect(csv.stdout).toBe(await readFile(at("csv", "table.csv"), "utf8"));
    const markdown = await evaluate(["--markdown", "--out", at("csv"), "--resume", "--keep"]);
    expect(markdown.stdout).toBe(await readFile(at("csv", "table.md"), "utf8"));
  });

  it("goes on after the picture that it was stopped at, and finds what an undisturbed evaluation finds", async () => {
    const out = at("stopped");
    const stop = new AbortController();
    const first = await evaluate(["--per-caption", "3", "--out", out], {
      signal: stop.signal,
      onStderr: (text) => {
        if (/drawing\D+[1-9]/.test(text)) stop.abort();
      },
    });
    expect(first.code).toBe(130);
    expect(first.stderr).toContain("go on with the same words and --resume");
    const log = join(out, "drawn-1-of-1.jsonl");
    const done = (await readFile(log, "utf8")).trimEnd().split("\n").length;
    expect(done).toBeGreaterThanOrEqual(1);
    expect(done).toBeLessThan(12);
    const { row, place } = JSON.parse((await readFile(log, "utf8")).split("\n")[0]!) as { row: string; place: number };
    const picture = join(out, "pictures", row, `${String(place).padStart(5, "0")}.png`);
    const before = (await stat(picture)).mtimeMs;
    // A line that a killed process began counts for nothing.
    await appendFile(log, '{"row":"ddim-4-g4","pla');
    const found = await rowsOf(["--per-caption", "3", "--out", out, "--resume", "--keep"]);
    expect((await stat(picture)).mtimeMs).toBe(before);
    const undisturbed = await rowsOf(["--per-caption", "3", "--out", at("undisturbed")]);
    expect(timeless(found)).toEqual(timeless(undisturbed));
  });

  it("draws as well when shards share the drawing", async () => {
    const out = at("shards");
    const share = ["--per-caption", "2", "--out", out, "--json"];
    const first = await evaluate([...share, "--shard", "1/2"]);
    expect(first).toMatchObject({ code: 0, stdout: "" });
    expect(first.stderr).toContain("This shard is done");
    const found = await rowsOf(["--per-caption", "2", "--out", out, "--shard", "2/2"]);
    const logs = (await readdir(out)).filter((name) => name.startsWith("drawn-"));
    expect(logs).toEqual(["drawn-1-of-2.jsonl", "drawn-2-of-2.jsonl"]);
    for (const log of logs) expect((await readFile(join(out, log), "utf8")).trimEnd().split("\n")).toHaveLength(4);
    expect(timeless(found)).toEqual(timeless(await rowsOf(["--per-caption", "2", "--out", at("alone")])));
  });

  it("draws more, but not again, when captions or rows are added", async () => {
    const out = at("more");
    await rowsOf(["--out", out, "--keep"]);
    const more = ["--row", "ddim:4", "--row", "lcm:2", "--row", "lcm:1"];
    const found = await rowsOf([...more, "--captions", "2", "--out", out, "--resume", "--keep"]);
    expect(found.map((row) => row["name"])).toEqual(["DDIM 4", "LCM-LoRA 2", "LCM-LoRA 1"]);
    expect((await readFile(join(out, "drawn-1-of-1.jsonl"), "utf8")).trimEnd().split("\n")).toHaveLength(6);
    const other = await evaluate([...more, "--seed", "5", "--out", out, "--resume"]);
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("differs in seed (was 0, is 5)");
  });

  it("keeps nothing of a quick evaluation that names no folder", async () => {
    const found = await rowsOf(["--quick"]);
    expect(found).toHaveLength(2);
    expect(existsSync("evaluation")).toBe(false);
  });

  it("measures by the model's own latents where no network is at hand, and says so", async () => {
    await mkdir(at("none"), { recursive: true });
    const { stdout, code } = await runFourstep(
      [
        "evaluate",
        "--model",
        at("tiny"),
        "--data",
        at("pictures"),
        ...rows,
        "--captions",
        "2",
        "--resamples",
        "3",
      ].concat(["--candidates", "0", "--out", at("latents")]),
      { env: { FOURSTEP_MEASURES: at("none") } },
    );
    expect(code).toBe(0);
    expect(stdout).toContain("the features are the shipped model's own latents");
    expect(stdout).toContain("LPIPS is left out");
  });
});

describe("what cannot be evaluated is said in one sentence", () => {
  const sentence = async (args: readonly string[], words: string): Promise<void> => {
    const { code, stdout, stderr } = await evaluate(args);
    expect(stderr).toContain(words);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  };

  it.each([
    [["--captions", "1", "--per-caption", "1"], "needs at least 2 pictures in each set, but drawn are 1"],
    [["--real", "1"], "needs at least 2 pictures in each set, but real are 1"],
    [
      ["--row", "ddim"],
      'A row is SAMPLER:STEPS or SAMPLER:STEPS:GUIDANCE, such as dpm-solver++:8:4, but "ddim" was given',
    ],
    [["--row", "ddim:0"], '"ddim:0" was given'],
    [["--row", "lcm:4", "--row", "lcm:4"], "was given twice"],
    [["--data", "nowhere-at-all"], "nowhere-at-all"],
    [["--features", "nowhere-at-all"], "nowhere-at-all"],
    [["--measures", "nowhere-at-all"], "nowhere-at-all: the folder of measures cannot be read"],
    [["--split", "nowhere-at-all"], "nowhere-at-all: the split cannot be read"],
    [["--clip", "nowhere-at-all"], "nowhere-at-all"],
    [["--real-features", "nowhere-at-all"], "nowhere-at-all: the features of real pictures cannot be read"],
    [["--resume"], "need the folder of the evaluation; name it with --out"],
    [["--shard", "3/2"], "--shard"],
    [["--lora", "nowhere-at-all"], "nowhere-at-all"],
  ])("%j", async (args, words) => {
    await sentence(args.includes("--resume") || args.includes("--shard") ? args : [...args, "--out", at("bad")], words);
  });

  it("a model without an LCM-LoRA", () =>
    sentence(["--model", at("bare"), "--out", at("bad")], "bare has no lora/lcm-lora.safetensors"));

  it("an empty caption", async () => {
    const folder = at("empty");
    await mkdir(folder);
    const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const lines = ["a", "b", "c"].map((name) => JSON.stringify({ file_name: `${name}.png`, text: " " }));
    for (const name of ["a", "b", "c"]) await writeFile(join(folder, `${name}.png`), picture);
    await writeFile(join(folder, "metadata.jsonl"), lines.join("\n"));
    await sentence(["--data", folder, "--out", at("bad")], "caption");
  });

  it("a split of another set", async () => {
    await writeFile(at("split.json"), JSON.stringify({ seed: 0, drawn: ["x.png", "y.png"], real: ["x.png"] }));
    await sentence(["--split", at("split.json"), "--out", at("bad")], "has no picture x.png, which the split names");
    await writeFile(at("split.json"), JSON.stringify({ seed: 0, drawn: "x.png", real: [] }));
    await sentence(["--split", at("split.json"), "--out", at("bad")], '"drawn" must be a list of names of pictures');
  });

  it("weights of a network that makes no features, and features of another network", async () => {
    await writeFile(at("odd.safetensors"), encodeSafetensors({ x: float32([1], [1]) }, {}));
    await sentence(
      ["--features", at("odd.safetensors"), "--out", at("bad")],
      "not weights of a network that makes features",
    );
    const inception = {
      "Mixed_5b.branch1x1.conv.weight": float32([1], [1]),
      "fc.weight": float32([1000, 1], Array(1000).fill(0)),
    };
    await writeFile(at("inception.safetensors"), encodeSafetensors(inception, {}));
    await sentence(["--features", at("inception.safetensors"), "--out", at("bad")], "Inception v3 of 1000 classes");
    const kind = "fourstep features 1";
    const metadata = {
      kind,
      network: "inception-v3-2015 2048",
      resizing: "torch-fidelity",
      fingerprint: "0123456789ab",
    };
    await writeFile(at("real.safetensors"), encodeSafetensors({ rows: float32([2, 4], Array(8).fill(1)) }, metadata));
    await sentence(
      ["--real-features", at("real.safetensors"), "--out", at("other")],
      "real.safetensors: these features are of another network (inception-v3-2015 2048",
    );
    await sentence(["--real-features", at("odd.safetensors"), "--out", at("other2")], "holds no features of pictures");
  });

  it("a folder that holds an evaluation already", async () => {
    await rowsOf(["--out", at("twice")]);
    await sentence(["--out", at("twice")], "this folder holds an evaluation; go on with it by --resume");
  });
});

import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shippedModelFolder } from "../../node/shipped-model.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { drawRequestSchema } from "../schemas/draw-request.ts";
import type { EngineJob, EngineReport } from "./messages.ts";
import { createStudio, type Studio } from "./studio.ts";

let runtime: Runtime;
let studio: Studio;
let reports: EngineReport[] = [];
beforeAll(() => {
  runtime = onnxRuntime();
  studio = createStudio(runtime, (report) => reports.push(report));
});
afterAll(() => runtime.dispose());

const job = (id: string, request: object): EngineJob => ({
  id,
  request: { ...drawRequestSchema.parse({ steps: 2, ...request }), seed: id.charCodeAt(0), model: "fourstep-64" },
  modelPath: shippedModelFolder(),
  loraFolders: [],
});

/** Draws jobs; gives the pixels of each one's pictures. */
async function draw(jobs: readonly EngineJob[], batch: number, signals?: readonly AbortSignal[]) {
  reports = [];
  const open = new AbortController().signal;
  await studio.draw(jobs, batch, new Map(jobs.map(({ id }, i) => [id, signals?.[i] ?? open])));
  const pixels = new Map<string, Uint8Array[]>();
  for (const report of reports) {
    if (report.kind !== "picture") continue;
    const one = new Uint8Array(await sharp(report.picture.png).raw().toBuffer());
    pixels.set(report.job, [...(pixels.get(report.job) ?? []), one]);
  }
  return pixels;
}

const settled = () => reports.filter((report) => report.kind === "settled");
const difference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

describe("jobs that are drawn together", () => {
  it("give what each gives alone, with their own prompts, seeds and settings", async () => {
    const jobs = [
      job("a", { prompt: "a red apple" }),
      job("b", { prompt: "a cat", count: 2 }),
      job("c", { prompt: "a dog" }),
    ];
    const together = await draw(jobs, 4);
    expect(settled().map((report) => [report.job, report.error])).toEqual([
      ["a", undefined],
      ["b", undefined],
      ["c", undefined],
    ]);
    expect(reports.at(-1)).toMatchObject({ kind: "done", pictures: 4 });
    const settings = reports.flatMap((report) => (report.kind === "picture" ? [report.picture.settings] : []));
    expect(settings.map((text) => text.split(" <")[0])).toEqual(["a red apple", "a cat", "a cat", "a dog"]);
    for (const one of jobs) {
      const alone = (await draw([one], 1)).get(one.id)!;
      expect(alone).toHaveLength(one.request.count);
      for (const [i, pixels] of alone.entries()) {
        // Sums of a batch are added up in another order.
        expect(difference(pixels, together.get(one.id)![i]!)).toBeLessThanOrEqual(2);
      }
    }
  });

  it("go on without the one that cannot be drawn, and without the one that is cancelled", async () => {
    const jobs = [job("a", { prompt: "a red apple" }), job("b", { prompt: "a", size: { width: 65, height: 64 } })];
    const drawn = await draw(jobs, 2);
    expect(drawn.get("a")).toHaveLength(1);
    expect(settled().map((report) => [report.job, report.error?.name])).toEqual([
      ["b", "UsageError"],
      ["a", undefined],
    ]);
    const [gone, stays] = [AbortSignal.abort(), new AbortController().signal];
    const two = [job("a", { prompt: "a red apple" }), job("c", { prompt: "a dog" })];
    expect((await draw(two, 2, [gone, stays])).get("c")).toHaveLength(1);
  });
});

it("says whether anything had to be compiled", async () => {
  const one = [job("z", { prompt: "a house", size: { width: 48, height: 48 } })];
  await draw(one, 1);
  expect(reports.at(-1)).toMatchObject({ kind: "done", prepared: true });
  await draw(one, 1);
  expect(reports.at(-1)).toMatchObject({ kind: "done", prepared: false });
});

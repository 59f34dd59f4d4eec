/**
 * Fourstep beside what a user would pick instead: the same random Stable Diffusion 1.5, the same picture, the same
 * precision, in processes that take turns.
 *
 *     npm run bench:peers -- [--rounds 3] [--peers ours,diffusers,openvino,stable-diffusion.cpp] [--markdown FILE]
 *
 * The first run makes an environment with the peers and the model in runs/bench-peers (some 20 GB, and a compiler is
 * needed for stable-diffusion.cpp). Prints medians and writes runs/bench-peers/result.json.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { allocatorSettings } from "../../src/node/allocator.ts";
import { type ProcessRecord, runContender } from "./contender.ts";
import { type Failures, installPeers, makeModels, python, root } from "./set-up.ts";
import {
  type Autoencoder,
  autoencoders,
  conditions,
  markdownTable,
  median,
  type Operations,
  type Result,
  summarise,
} from "./summary.ts";

const work = JSON.parse(await readFile(new URL("./work.json", import.meta.url), "utf8"));
const everyone = ["ours", "diffusers", "openvino", "stable-diffusion.cpp"] as const;
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    peers: { type: "string", default: everyone.join(",") },
    autoencoders: { type: "string", default: autoencoders.join(",") },
    size: { type: "string", default: String(work.size) },
    steps: { type: "string", default: String(work.steps) },
    pictures: { type: "string", default: String(work.pictures) },
    threads: { type: "string", default: String(availableParallelism()) },
    python: { type: "string", default: "python3" },
    data: { type: "string", default: "../shared/data" },
    markdown: { type: "string" },
  },
});
const peers = values.peers.split(",");
const chosen = values.autoencoders.split(",") as Autoencoder[];
const [rounds, size, steps, pictures, threads] = [
  values.rounds,
  values.size,
  values.steps,
  values.pictures,
  values.threads,
].map(Number) as [number, number, number, number, number];
for (const peer of peers) {
  if (!(everyone as readonly string[]).includes(peer))
    throw new Error(`${peer}: one of ${everyone.join(", ")} was expected.`);
}
if (!existsSync("dist/index.js")) throw new Error("dist is missing; run `npm run build` first.");

const failures: Failures = new Map();
const packages: Record<string, readonly string[]> = work.packages;
// The model is made by diffusers, so that one is always installed.
const needed = Object.entries(packages).filter(([peer]) => peer === "diffusers" || peers.includes(peer));
await installPeers(values.python, Object.fromEntries(needed), failures);
makeModels(resolve(values.data), peers, failures);
const operations: Operations = JSON.parse(await readFile(`${root}/work.json`, "utf8"))[String(size)];
if (operations === undefined) throw new Error("--size must be 256, 512, 768 or 1024.");

const file = (name: string): string => resolve("bench/peers", name);
const { prompt, seed } = work;
const taesdFile = resolve(values.data, "taesd/taesd_decoder.safetensors");
const settings = (autoencoder: Autoencoder): string =>
  JSON.stringify({
    ...{ prompt, seed, size, steps, pictures, threads, autoencoder, taesdFile },
    model: `${root}/sd15`,
    taesdFolder: `${root}/taesd`,
    openvino: { kl: `${root}/openvino-kl`, tiny: `${root}/openvino-tiny` },
  });
const commands: Readonly<Record<string, readonly [string, ...string[]]>> = {
  ours: [process.execPath, file("ours.mjs")],
  diffusers: [python, file("draw_diffusers.py")],
  openvino: [python, file("draw_openvino.py")],
  "stable-diffusion.cpp": [python, file("draw_sdcpp.py")],
};
const env = { ...process.env, HF_HUB_OFFLINE: "1", OMP_NUM_THREADS: String(threads) };

let load = 0;
const run = (
  command: readonly [string, ...string[]],
  given: string,
  more: Readonly<Record<string, string>> = {},
): Promise<ProcessRecord> => {
  const [program, ...args] = command;
  return runContender(program, [...args, given], { ...env, ...more });
};
/** Processes that wait for a core beside the one that is to be measured: the quarter minute before does not count ours. */
async function noteLoad(): Promise<void> {
  const running = (await readFile("/proc/loadavg", "utf8").catch(() => "")).split(" ")[3]?.split("/")[0];
  load = Math.max(load, running === undefined ? loadavg()[0]! : Number(running) - 1);
}

const gemm: Record<string, number[]> = { torch: [], "ONNX Runtime": [] };
const records = new Map<string, ProcessRecord[]>();
const versions: Record<string, string> = {};
for (let round = 0; round < rounds; round++) {
  await noteLoad();
  gemm["torch"]!.push((await run([python, file("gemm_torch.py")], settings("kl"))).gflops!);
  const onnx = await run([process.execPath, "--import", "tsx", file("gemm-onnx-runtime.ts")], settings("kl"));
  gemm["ONNX Runtime"]!.push(onnx.gflops!);
  for (const autoencoder of chosen) {
    for (const peer of peers) {
      if (failures.has(peer)) continue;
      await noteLoad();
      try {
        // The command line sets its allocator itself when a model is large.
        const record = await run(commands[peer]!, settings(autoencoder), peer === "ours" ? allocatorSettings : {});
        if (record.pictures.some(({ spread }) => !(spread > 1))) throw new Error("its picture is blank");
        versions[peer] = record.version ?? peer;
        const key = `${autoencoder} ${peer}`;
        records.set(key, [...(records.get(key) ?? []), record]);
        const last = record.pictures.at(-1)!;
        console.error(
          `round ${round + 1}, ${autoencoder}, ${peer}: first picture after ${record.coldStart!.toFixed(1)} s, last in ${last.seconds.toFixed(2)} s`,
        );
      } catch (error) {
        failures.set(peer, (error as Error).message);
        console.error(`${peer}: ${(error as Error).message}`);
      }
    }
  }
}

const peaks = Object.fromEntries(Object.entries(gemm).map(([name, gflops]) => [name, median(gflops)]));
const peak = Math.max(...Object.values(peaks));
const rows = chosen.flatMap((autoencoder) =>
  peers.flatMap((peer) => {
    const made = records.get(`${autoencoder} ${peer}`);
    return made === undefined ? [] : [summarise(peer, autoencoder, made, operations, peak)];
  }),
);
const result: Result = {
  machine: { processor: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), threads },
  load,
  work: { size, steps, rounds, pictures },
  operations,
  gemm: peaks,
  versions,
  rows,
  failures: Object.fromEntries(failures),
};
await writeFile(`${root}/result.json`, `${JSON.stringify(result, null, 2)}\n`);
const page = `${conditions(result).join("\n\n")}\n\n${markdownTable(result)}\n`;
console.log(page);
if (values.markdown !== undefined) await writeFile(values.markdown, page);

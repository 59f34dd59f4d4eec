/**
 * What an exchange of LoRAs costs: seconds per hundred modules, in parts, on the U-Net of Stable Diffusion 1.5 with random
 * weights, and how far merged weights are from sums in float64. Where other programs take the processor, compare the
 * seconds of processor time, and ratios.
 *
 * Run: npm run bench:lora -- [--rank 64] [--size 64] [--steps 2] [--folder runs/bench-lora]
 */
import { mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { WeightedAdapter } from "../src/adapters/combine.ts";
import type { LoraModule } from "../src/adapters/lora.ts";
import { changesOf, mergedSource } from "../src/adapters/merged-source.ts";
import { adapterSlots } from "../src/adapters/slots.ts";
import { targetModules } from "../src/adapters/targets.ts";
import { openFileSource, writeFileAtomically } from "../src/formats/file-source.node.ts";
import { readFloat32, readSafetensorsHeader } from "../src/formats/safetensors.ts";
import { safetensorsPieces } from "../src/formats/safetensors-layout.ts";
import { encode } from "../src/graph/encode.ts";
import { gemm } from "../src/graph/ops/product.ts";
import { reshape } from "../src/graph/ops/structure.ts";
import { encodePrepared } from "../src/graph/prepare.ts";
import { fileConstant, input, type Value } from "../src/graph/value.ts";
import { stableDiffusion1 } from "../src/models/checkpoint/families/stable-diffusion-1.ts";
import { layers, type ParameterSource, type WeightRule } from "../src/models/layers.ts";
import { swapBatchAndChannels } from "../src/models/maps.ts";
import { unetTable } from "../src/models/module-table.ts";
import { unetConfig } from "../src/models/unet/config.ts";
import { unet } from "../src/models/unet/unet.ts";
import { allocatorIsUnset, restartWithAllocator } from "../src/node/allocator.ts";
import { onnxRuntime } from "../src/runtime/onnx-runtime.ts";
import type { Session } from "../src/runtime/runtime.ts";
import { counterNormal } from "../src/tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../src/tensor/tensor.ts";

// As the command line does for a model of this size.
if (allocatorIsUnset()) process.exit(await restartWithAllocator());
const { values: options } = parseArgs({
  options: {
    rank: { type: "string", default: "64" },
    size: { type: "string", default: "64" },
    steps: { type: "string", default: "2" },
    folder: { type: "string", default: "runs/bench-lora" },
  },
});
const [rank, size, steps] = [options.rank, options.size, options.steps].map(Number) as [number, number, number];
const weightFile = "unet.safetensors";
const folder = resolve(options.folder);
const path = `${folder}/${weightFile}`;
const config = unetConfig(stableDiffusion1.unet);
const table = unetTable(config);
const adapted = targetModules(table.modules);

/** Normal numbers of a standard deviation of 0.02; after a million they come again. */
const noise = counterNormal(1, "lora swap", 0, 2 ** 20 + 7).map((x) => 0.02 * x);
function random(shape: readonly number[]): Tensor<"float32"> {
  const data = new Float32Array(elementCount(shape));
  for (let at = 0; at < data.length; at += noise.length)
    data.set(noise.subarray(0, Math.min(noise.length, data.length - at)), at);
  return { type: "float32", shape, data };
}

/** The time that a piece of work takes, and the processor's, of all threads, in seconds. */
interface Cost {
  readonly wall: number;
  readonly processor: number;
}
const line = (text: string): boolean => process.stdout.write(`${text}\n`);
const columns = (name: string, { wall, processor }: Cost, unit: string): boolean =>
  line(`${name.padEnd(46)} ${wall.toFixed(3).padStart(8)} s  processor ${processor.toFixed(3).padStart(8)} s  ${unit}`);
async function timed<T>(work: () => T | Promise<T>): Promise<[T, Cost]> {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return [result, { wall: (performance.now() - begin) / 1000, processor: (user + system) / 1e6 }];
}
const perHundred = ({ wall, processor }: Cost): Cost => ({
  wall: (100 * wall) / adapted.length,
  processor: (100 * processor) / adapted.length,
});

await mkdir(folder, { recursive: true });
if ((await stat(path).catch(() => undefined)) === undefined) {
  const pending = table.parameters.map(({ name, shape }) => ({
    name,
    shape,
    type: "float32" as const,
    bytes: async () => new Uint8Array(random(shape).data.buffer as ArrayBuffer),
  }));
  await writeFileAtomically(path, safetensorsPieces(pending));
}
await using file = await openFileSource(path);
const header = await readSafetensorsHeader(file);
const base: ParameterSource = (name, shape) => {
  const { begin, end } = header.tensors.get(name)!;
  return fileConstant(name, shape, "float32", { file: weightFile, offset: begin, length: end - begin });
};
const runtime = onnxRuntime();
const lora = (): LoraModule[] =>
  adapted.map(({ path: module, weight: [out = 0, ...inner] }) => ({
    path: module,
    down: random([rank, ...inner]),
    up: random([out, rank, ...inner.slice(1).map(() => 1)]),
    alpha: rank,
  }));
const merged = (weighted: readonly WeightedAdapter[]): ParameterSource => mergedSource(base, changesOf(weighted));

const shapes = { latents: [1, 4, size, size], timesteps: [1], context: [77, 768] } as const;
const feeds = { latents: random(shapes.latents), timesteps: float32([1], [499]), context: random(shapes.context) };
function compile(source: ParameterSource, replacing?: Session, rule?: WeightRule): Promise<Session> {
  const value = (name: keyof typeof shapes): Value => input(name, shapes[name]);
  const inputs = { latents: swapBatchAndChannels(value("latents")), timesteps: value("timesteps") };
  const output = unet(layers(source, rule), config, { ...inputs, context: value("context") });
  const model = encodePrepared({ output: swapBatchAndChannels(output) });
  return runtime.compile(model, { folder, layouts: false, ...(replacing === undefined ? {} : { replacing }) });
}
/** The cheapest step of several. */
async function step(session: Session, more: Readonly<Record<string, Tensor>> = {}): Promise<Cost> {
  let best: Cost | undefined;
  for (let i = 0; i < steps; i++) {
    const [, cost] = await timed(() => session.run({ ...more, ...feeds }));
    if (best === undefined || cost.processor < best.processor) best = cost;
  }
  return best!;
}
/** The largest difference of merged weights from sums in float64, over some elements of each shape. */
async function largestError(modules: readonly LoraModule[]): Promise<number> {
  const source = merged([{ lambda: 1, modules }]);
  let largest = 0;
  const seen = new Set<string>();
  for (const { path: module, weight } of adapted) {
    if (seen.has(weight.join())) continue;
    seen.add(weight.join());
    const session = await runtime.compile(encode({ weight: source(`${module}.weight`, weight) }), { folder });
    const sums = (await session.run({}))["weight"]!.data as Float32Array;
    await session.dispose();
    const { data } = await readFloat32(file, header, `${module}.weight`);
    const { down, up } = modules.find((one) => one.path === module)!;
    const width = sums.length / weight[0]!;
    const ranks = down.shape[0]!;
    for (let at = 0; at < sums.length; at += 997) {
      const [row, column] = [Math.floor(at / width), at % width];
      let exact = data[at]!;
      for (let r = 0; r < ranks; r++) exact += Number(up.data[row * ranks + r]) * Number(down.data[r * width + column]);
      largest = Math.max(largest, Math.abs(sums[at]! - exact));
    }
  }
  return largest;
}
/**
 * Merges into the weights as they lie in the file, and no more: an exchange also brings kernels of large maps into the form in
 * which they are used.
 */
async function merging(weighted: readonly WeightedAdapter[]): Promise<Cost> {
  const source = merged(weighted);
  const uses = adapted.map(({ path: module, weight }, i) => {
    const matrix = reshape(source(`${module}.weight`, weight), [weight[0]!, elementCount(weight.slice(1))]);
    return [`use ${i}`, gemm(input(`x ${i}`, [1, weight[0]!]), matrix)] as const;
  });
  const [session, cost] = await timed(() =>
    runtime.compile(encodePrepared(Object.fromEntries(uses)), { folder, layouts: false }),
  );
  await session.dispose();
  return cost;
}

line(`${adapted.length} modules of rank ${rank}; a step at ${8 * size}x${8 * size}; per 100 modules:`);
const adapters: readonly WeightedAdapter[] = [{ lambda: 0.8, modules: lora() }];
const unit = "per 100 modules";
const slots = adapterSlots(adapted, rank);
columns("slots: other adapters", perHundred((await timed(() => slots.fill(adapters)))[1]), unit);
const lighter = adapters.map((one) => ({ ...one, lambda: 0.5 }));
columns("slots: another weight", perHundred((await timed(() => slots.fill(lighter)))[1]), unit);
line(`merged: largest difference of a weight from float64 ${(await largestError(lora())).toExponential(2)}`);
const rounds: Cost[] = [];
for (let i = 0; i < 4; i++) rounds.push(await merging([{ lambda: 0.1 * i + 0.5, modules: lora() }]));
columns("merging into the weights, the first time", rounds[0]!, "in all");
const warm = rounds.slice(1).sort((a, b) => a.wall - b.wall)[1]!;
columns("merging into the weights, median of three", warm, "in all");

const output = async (session: Session): Promise<Float32Array> =>
  (await session.run(feeds))["output"]!.data as Float32Array;
let [session, compiling] = await timed(() => compile(base));
columns("compiling, without adapters", compiling, "in all");
const plain = await output(session);
const baseStep = await step(session);
columns("a step without adapters", baseStep, "ratio 1.00");
const ratio = ({ processor, wall }: Cost): string =>
  `ratio ${(wall / baseStep.wall).toFixed(2)}, of processor time ${(processor / baseStep.processor).toFixed(2)}`;
/** What it costs to go on with other adapters in the place of those that are merged. */
async function exchange(name: string, weighted: readonly WeightedAdapter[]): Promise<void> {
  const [, cost] = await timed(async () => {
    session = await compile(weighted.length === 0 ? base : merged(weighted), session);
  });
  columns(`merged: ${name}`, perHundred(cost), unit);
  columns(`merged: ${name}`, cost, "in all");
}
await exchange("the first exchange", adapters);
const mergedStep = await step(session);
columns("a step, merged", mergedStep, ratio(mergedStep));
await exchange("another weight", lighter);
await exchange("another adapter", [{ lambda: 1, modules: lora() }]);
await exchange("none again", []);
const undone = await output(session);
line(`after all exchanges, outputs that differ from the base's: ${undone.filter((x, i) => x !== plain[i]).length}`);
const again = await step(session);
columns("a step without adapters, again", again, ratio(again));
// Turn by turn, for the machine's speed changes by more than what is looked for.
const beside = await compile(merged(adapters));
const ratios: number[] = [];
for (let i = 0; i < 4 * steps; i++) {
  const [, own] = await timed(() => session.run(feeds));
  const [, adapted] = await timed(() => beside.run(feeds));
  if (i > 0) ratios.push(adapted.processor / own.processor);
}
ratios.sort((a, b) => a - b);
const quantile = (share: number): string => ratios[Math.round(share * (ratios.length - 1))]!.toFixed(3);
line(
  `steps by turns, merged over base, processor time: median ${quantile(0.5)}, quartiles ${quantile(0.25)} to ${quantile(0.75)}`,
);
await beside.dispose();
const [slotted, slotCompile] = await timed(() => compile(base, session, slots.rule));
columns("slots: compiling, once", slotCompile, "in all");
const slotStep = await step(slotted, slots.inputs);
columns("a step, slots", slotStep, ratio(slotStep));
await runtime.dispose();

import { readdir, realpath } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { UsageError } from "../../errors.ts";
import { openFileSource, writeFileAtomically } from "../../formats/file-source.node.ts";
import { field, isJsonObject, type JsonObject, parseJsonObject } from "../../formats/json.ts";
import { type PendingTensor, safetensorsPieces } from "../../formats/safetensors-layout.ts";
import type { FloatType } from "../../tensor/convert.ts";
import { type FileContent, writeModelFolder } from "../model-folder.ts";
import type { Checkpoint, WeightFile } from "./checkpoint.ts";
import { type ModelMergeOptions, mergedPieces } from "./merge-tensor.ts";
import { mergedTensor, type ParameterPieces, type WrittenParameter } from "./merged-file.ts";
import { type ModelTerm, parameterTerms } from "./model-terms.ts";
import { pieceReader } from "./tensor-pieces.ts";

/** What is made of a model and where it goes. */
export interface ModelMerge extends ModelMergeOptions {
  /** By how much the base counts; 1 but in weighted sums. */
  readonly baseWeight: number;
  /** Type of the weights; each tensor's own unless told. */
  readonly type?: FloatType;
  /** A folder where the base is one, else a file. */
  readonly output: string;
  /** What a single file says of itself. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The configuration of a folder's scheduler; the base's unless told. */
  readonly scheduler?: SchedulerConfig;
  readonly signal?: AbortSignal;
  /** Called before each tensor is made. */
  readonly onTensor?: (done: number, all: number) => void;
}

/** What a merge changed. */
export interface MergeResult {
  /** Tensors that were changed. */
  readonly modules: number;
  /** Largest relative error of one of them: Frobenius norm of what rounding changed over that of the exact result. */
  readonly maxError: number;
  /** The same over all of them. */
  readonly error: number;
}

/**
 * Writes a model that is combined from a base and others, in the base's own layout, tensor by tensor: only one is in memory
 * at a time, and nothing is left behind where one cannot be made.
 * @throws AdapterError when the models are of different kinds, UsageError when the output cannot be written
 */
export async function mergeModel(
  base: Checkpoint,
  terms: readonly ModelTerm[],
  merge: ModelMerge,
): Promise<MergeResult> {
  checkLayout(base, merge.output);
  await checkInputs([base, ...terms.map((term) => (term.kind === "model" ? term.model : term.lora))], merge.output);
  const written: WrittenParameter[] = [];
  const all = base.files.reduce((sum, { tensors }) => sum + tensors.length, 0);
  let done = 0;
  const pieces = changedParameters(base, terms, merge);
  const content = ({ tensors, metadata }: WeightFile): AsyncIterable<Uint8Array> => {
    const pending = tensors.map((tensor): PendingTensor => {
      const merged = mergedTensor(tensor, merge.type, pieces, (one) => written.push(one));
      return {
        ...merged,
        bytes: () => {
          merge.signal?.throwIfAborted();
          merge.onTensor?.(done++, all);
          return merged.bytes();
        },
      };
    });
    return safetensorsPieces(pending, { ...Object.fromEntries(metadata), ...merge.metadata, format: "pt" });
  };
  checkTerms(base, terms);
  if (base.layout === "file") await writeFileAtomically(merge.output, content(base.files[0]!));
  else {
    const files = new Map<string, FileContent>([
      ...(await otherFiles(base)),
      ...(merge.scheduler === undefined ? [] : await schedulerFiles(base, merge.scheduler)),
    ]);
    for (const file of base.files) files.set(safetensorsName(file.path), content({ ...file, metadata: new Map() }));
    await writeModelFolder(merge.output, files);
  }
  return summary(written);
}

/** The result of the parts that were written. */
export function summary(written: readonly Omit<WrittenParameter, "name">[]): MergeResult {
  let [maxError, square, errorSquare] = [0, 0, 0];
  for (const one of written) {
    maxError = Math.max(maxError, relative(one.errorSquare, one.square));
    square += one.square;
    errorSquare += one.errorSquare;
  }
  return { modules: written.length, maxError, error: relative(errorSquare, square) };
}

function relative(errorSquare: number, square: number): number {
  return errorSquare === 0 ? 0 : Math.sqrt(errorSquare / square);
}

function changedParameters(base: Checkpoint, terms: readonly ModelTerm[], merge: ModelMerge): ParameterPieces {
  const termsOf = parameterTerms(terms, base.name);
  return (name, { source, entry }) => {
    const read = pieceReader({ source, entry });
    const own = termsOf(name, entry.shape, read);
    if (own.length === 0 && merge.baseWeight === 1) return undefined;
    return mergedPieces({ name, shape: entry.shape, weight: merge.baseWeight, read }, own, merge);
  };
}

/** Finds what does not fit before anything is written. */
function checkTerms(base: Checkpoint, terms: readonly ModelTerm[]): void {
  const termsOf = parameterTerms(
    terms.map((term) => (term.kind === "model" ? term : { ...term, weight: 0 })),
    base.name,
  );
  for (const [name, stored] of base.parameters) termsOf(name, stored.entry.shape, pieceReader(stored));
}

function checkLayout({ layout, path }: Checkpoint, output: string): void {
  const single = output.endsWith(".safetensors");
  if (layout === "file" && !single) {
    throw new UsageError(
      `${output}: ${path} is one file, so its result is one; give a name that ends in .safetensors.`,
    );
  }
  if (layout === "folder" && single) {
    throw new UsageError(`${output}: ${path} is a folder, so its result is one; give a folder's name.`);
  }
}

/** @throws UsageError when the output is one of the inputs, which are read while it is written */
export async function checkInputs(inputs: readonly { readonly path: string }[], output: string): Promise<void> {
  const target = await realpath(output).catch(() => resolve(output));
  for (const { path } of inputs) {
    if ((await realpath(path)) === target)
      throw new UsageError(`${output}: the output is also an input; give another.`);
  }
}

/** Weights of other programs, or in other forms, which the merged ones take the place of. */
const weightEndings = /\.(safetensors|bin|ckpt|pt|pth|msgpack|h5|onnx|onnx_data|pb|xml)$/;

/**
 * What lies beside the weights: configurations, vocabularies, licences, and parts that are not changed, such as a safety
 * checker; not what was written of the base, such as its model card.
 */
async function otherFiles({ folder, files }: Checkpoint): Promise<(readonly [string, FileContent])[]> {
  const changed = new Set(files.map(({ path }) => path.slice(0, path.indexOf("/"))));
  const index = parseJsonObject(await folder.readText("model_index.json"), `${folder.name}/model_index.json`);
  const parts = Object.entries(index).filter(([, value]) => Array.isArray(value) && typeof value[0] === "string");
  const found: (readonly [string, FileContent])[] = [];
  const add = async (path: string): Promise<void> => {
    if (/\.index(\.\w+)?\.json$/.test(path)) found.push([safetensorsName(path), await renamedIndex(folder.path, path)]);
    else found.push([path, fileBytes(join(folder.path, path))]);
  };
  for (const name of await filesIn(folder.path)) {
    if (name === "model_index.json" || /^(licen[cs]e|notice)/i.test(name)) await add(name);
  }
  for (const [part] of parts) {
    const pickled = files.some(({ path }) => path.startsWith(`${part}/`) && path.endsWith(".bin"));
    for (const name of await filesIn(join(folder.path, part))) {
      if (changed.has(part) && (weightEndings.test(name) || (name.includes(".index.") && !indexFits(name, pickled))))
        continue;
      await add(`${part}/${name}`);
    }
  }
  return found;
}

/** The scheduler's configuration, and the index that names its class. */
async function schedulerFiles(
  { folder }: Checkpoint,
  scheduler: SchedulerConfig,
): Promise<(readonly [string, FileContent])[]> {
  const index = parseJsonObject(await folder.readText("model_index.json"), `${folder.name}/model_index.json`);
  const text = (json: SchedulerConfig): Uint8Array =>
    new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`);
  return [
    ["scheduler/scheduler_config.json", text(scheduler)],
    ["model_index.json", text({ ...index, scheduler: ["diffusers", scheduler["_class_name"] ?? null] })],
  ];
}

/** Whether an index is that of the weights that were read. */
function indexFits(name: string, pickled: boolean): boolean {
  return name.includes(".bin.") === pickled;
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile() || entry.isSymbolicLink()).map(({ name }) => name);
}

/** The name of a file of weights, or of an index, once it is written as safetensors. */
function safetensorsName(path: string): string {
  return path.replace(/\bpytorch_model(?=[^/]*\.bin)/, "model").replace(/\.bin(?=$|\.)/, ".safetensors");
}

async function renamedIndex(folder: string, path: string): Promise<Uint8Array> {
  await using source = await openFileSource(join(folder, path));
  const json = parseJsonObject(new TextDecoder().decode(await source.read(0, source.size)), path);
  const map = field(json, "weight_map");
  const renamed: JsonObject = isJsonObject(map)
    ? Object.fromEntries(Object.entries(map).map(([key, file]) => [key, safetensorsName(String(file))]))
    : {};
  return new TextEncoder().encode(`${JSON.stringify({ ...json, weight_map: renamed }, undefined, 2)}\n`);
}

const copiedAtOnce = 2 ** 24;

async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  await using source = await openFileSource(path);
  for (let at = 0; at < source.size; at += copiedAtOnce) {
    yield await source.read(at, Math.min(copiedAtOnce, source.size - at));
  }
}

import { basename } from "node:path";
import type { MergeMethod } from "../adapters/arithmetic/merge-changes.ts";
import type { SignElection } from "../adapters/arithmetic/mix.ts";
import { UsageError } from "../errors.ts";
import { type Checkpoint, openCheckpoint } from "../node/arithmetic/checkpoint.ts";
import { modelMetadata } from "../node/arithmetic/lora-metadata.ts";
import { baseOf, findLoraBase, readLoraOperand } from "../node/arithmetic/lora-operand.ts";
import { mergeLoras, type WeightedLora } from "../node/arithmetic/merge-loras.ts";
import { type MergeResult, mergeModel } from "../node/arithmetic/merge-model.ts";
import type { ModelTerm } from "../node/arithmetic/model-terms.ts";
import { consistencyScheduler } from "../node/jobs/model-configs.ts";
import { acceleratingLora } from "../node/lora-files.ts";
import { type CliContext, warn } from "./command.ts";
import { withProgress } from "./tensor-progress.ts";
import {
  type FileType,
  fileTypes,
  untilStopped,
  type VectorOperand,
  vectorOperand,
  warnOfUnmatched,
} from "./vector-operand.ts";

/** What `fourstep merge` was told. */
export interface MergeCommandOptions {
  readonly add: readonly string[];
  readonly subtract: readonly string[];
  readonly method: MergeMethod | "slerp";
  readonly density: number;
  readonly seed: number;
  readonly election: SignElection;
  readonly rank?: number;
  readonly factors?: boolean;
  readonly type?: FileType;
  readonly model?: string;
  readonly out: string;
  readonly json?: boolean;
}

/** Writes what is made of models and LoRAs. @throws FourstepError when they cannot be combined */
export async function mergeVectors(given: string, options: MergeCommandOptions, context: CliContext): Promise<void> {
  const base = await vectorOperand(given, "model", context);
  const terms: VectorOperand[] = [];
  for (const text of options.add) terms.push(await vectorOperand(text, "lora", context));
  for (const text of options.subtract) {
    const term = await vectorOperand(text, "lora", context);
    terms.push({ ...term, weight: -term.weight });
  }
  checkOptions(base, terms, options);
  const result = await untilStopped(context, () =>
    base.isModel ? mergeIntoModel(base, terms, options, context) : mergeIntoLora(base, terms, options, context),
  );
  if (options.json === true) {
    context.stdout.write(`${JSON.stringify({ output: options.out, ...result })}\n`);
    return;
  }
  context.stdout.write(`${options.out}\n`);
  context.stderr.write(
    `${result.modules} tensors merged; relative error ${result.error.toExponential(1)}, at most ${result.maxError.toExponential(1)} in one\n`,
  );
}

function checkOptions(base: VectorOperand, terms: readonly VectorOperand[], options: MergeCommandOptions): void {
  const { method, density, rank, model, factors } = options;
  if (factors === true && (base.isModel || method === "slerp" || rank !== undefined)) {
    const reason = base.isModel ? "a whole model" : method === "slerp" ? "--method slerp" : "--rank";
    throw new UsageError(`--factors is for merging LoRAs to their own rank, not for ${reason}; leave it out.`);
  }
  if (terms.length === 0 && rank === undefined)
    throw new UsageError("name at least one file with --add or --subtract.");
  if (base.isModel && rank !== undefined) throw new UsageError("--rank is for LoRAs, but the result is a whole model.");
  if (base.isModel && model !== undefined)
    throw new UsageError("--model is for LoRAs alone: here the base is the model.");
  const other = terms.find(({ isModel }) => isModel);
  if (!base.isModel && other !== undefined) {
    throw new UsageError(`${base.path} is a LoRA and ${other.path} a model: name the model first and --add the LoRA.`);
  }
  if (base.weight !== 1 && (method === "slerp" || (base.isModel && method !== "linear"))) {
    throw new UsageError(`the base has no weight of its own with --method ${method}; leave it out.`);
  }
  if (density !== 1 && (method === "linear" || method === "slerp")) {
    throw new UsageError(`--density has no meaning with --method ${method}; leave it out.`);
  }
}

async function mergeIntoModel(
  { path, weight }: VectorOperand,
  terms: readonly VectorOperand[],
  options: MergeCommandOptions,
  context: CliContext,
): Promise<MergeResult> {
  await using base = await openCheckpoint(path);
  const models: Checkpoint[] = [];
  try {
    const loaded: ModelTerm[] = [];
    let accelerates = false;
    for (const term of terms) {
      if (!term.isModel && term.weight > 0) accelerates ||= (await acceleratingLora(term.path)) === "lcm-lora";
      if (term.isModel) {
        const model = await openCheckpoint(term.path);
        models.push(model);
        loaded.push({ kind: "model", weight: term.weight, model });
      } else {
        const lora = await readLoraOperand(term.path, baseOf(base));
        warnOfUnmatched(lora, context);
        loaded.push({ kind: "lora", weight: term.weight, lora });
      }
    }
    warnOfSum(weight, terms, options, context);
    const title = basename(options.out).replace(/\.safetensors$/, "");
    const madeOf = [{ path, weight }, ...terms].map((one) => `${basename(one.path)}:${one.weight}`);
    const scheduler = accelerates && base.layout === "folder" ? consistencyScheduler(base.model.scheduler) : undefined;
    const result = await withProgress(context, (onTensor) =>
      mergeModel(base, loaded, {
        method: options.method,
        density: options.density,
        seed: options.seed,
        election: options.election,
        baseWeight: weight,
        ...(options.type === undefined ? {} : { type: fileTypes[options.type] }),
        output: options.out,
        metadata: modelMetadata(title, baseOf(base).family, madeOf),
        ...(scheduler === undefined ? {} : { scheduler }),
        signal: context.signal,
        onTensor,
      }),
    );
    if (accelerates) {
      const how = scheduler === undefined ? "with --sampler lcm --steps 4 --guidance 1" : "in 4 steps of lcm";
      context.stderr.write(`an LCM-LoRA is in it: draw it ${how}\n`);
    }
    return result;
  } finally {
    for (const model of models) await model[Symbol.asyncDispose]();
  }
}

/** Weights of whole models add up to 1, a model, or to 0, a difference; other sums draw nothing. */
function warnOfSum(
  weight: number,
  terms: readonly VectorOperand[],
  { method }: MergeCommandOptions,
  context: CliContext,
): void {
  if (method !== "linear") return;
  const sum = terms.reduce((all, term) => all + (term.isModel ? term.weight : 0), weight);
  if (Math.abs(sum - 1) < 1e-6) return;
  warn(
    context,
    Math.abs(sum) < 1e-6
      ? "the weights of the models add up to 0: the result is a difference, which draws nothing by itself."
      : `the weights of the models add up to ${sum}, not to 1; to add what one learned, subtract what it was trained from.`,
  );
}

async function mergeIntoLora(
  { path, weight }: VectorOperand,
  terms: readonly VectorOperand[],
  options: MergeCommandOptions,
  context: CliContext,
): Promise<MergeResult> {
  const base = await findLoraBase(path, options.model);
  const loras: WeightedLora[] = [];
  for (const term of [{ path, weight }, ...terms]) {
    const lora = await readLoraOperand(term.path, base);
    warnOfUnmatched(lora, context);
    loras.push({ lora, weight: term.weight });
  }
  return withProgress(context, (onTensor) =>
    mergeLoras(loras, base, {
      method: options.method,
      density: options.density,
      seed: options.seed,
      election: options.election,
      ...(options.rank === undefined ? {} : { rank: options.rank }),
      factors: options.factors ?? false,
      type: fileTypes[options.type ?? "fp16"],
      output: options.out,
      signal: context.signal,
      onTensor,
    }),
  );
}

import { UsageError } from "../errors.ts";
import { openCheckpoint } from "../node/arithmetic/checkpoint.ts";
import { type ExtractionResult, extractLora } from "../node/arithmetic/extract-lora.ts";
import type { WantedValues } from "../tensor/linear-algebra/truncated-svd.ts";
import { type CliContext, warn } from "./command.ts";
import { withProgress } from "./tensor-progress.ts";
import { type FileType, fileTypes, untilStopped, vectorOperand } from "./vector-operand.ts";

/** What `fourstep extract` was told. */
export interface ExtractOptions {
  readonly rank?: number;
  readonly energy?: number;
  readonly type: FileType;
  readonly out: string;
  readonly json?: boolean;
}

/** Writes the LoRA between two models. @throws FourstepError when they are of different kinds */
export async function extractVector(
  tuned: string,
  original: string,
  options: ExtractOptions,
  context: CliContext,
): Promise<void> {
  const wanted = wantedValues(options);
  await using fineTuned = await openCheckpoint((await modelOperand(tuned, context)).path);
  await using base = await openCheckpoint((await modelOperand(original, context)).path);
  const result = await untilStopped(context, () =>
    withProgress(context, (onTensor) =>
      extractLora(fineTuned, base, {
        wanted,
        type: fileTypes[options.type],
        output: options.out,
        signal: context.signal,
        onTensor,
      }),
    ),
  );
  if (result.leftOut.length > 0) {
    warn(
      context,
      `${result.leftOut.length} other tensors differ, such as ${result.leftOut[0]}, which no LoRA holds: biases, norms, embeddings or the autoencoder.`,
    );
  }
  const text = options.json === true ? JSON.stringify({ output: options.out, ...result }) : lines(options.out, result);
  context.stdout.write(`${text}\n`);
}

function wantedValues({ rank, energy }: ExtractOptions): WantedValues {
  if (energy !== undefined) return rank === undefined ? { energy } : { energy, mostRank: rank };
  if (rank !== undefined) return { rank };
  throw new UsageError("say how large the LoRA may be: --rank 16, --energy 0.99, or both.");
}

async function modelOperand(text: string, context: CliContext): Promise<{ readonly path: string }> {
  const operand = await vectorOperand(text, "model", context);
  if (!operand.isModel) throw new UsageError(`${text}: a model is expected, a folder or a single file.`);
  return operand;
}

function lines(output: string, { modules, error, maxError, layers }: ExtractionResult): string {
  const ranks = layers.map(({ rank }) => rank).sort((a, b) => a - b);
  const worst = layers.toSorted((a, b) => b.error - a.error).slice(0, 5);
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return [
    output,
    `${modules} layers, ranks ${ranks[0]} to ${ranks.at(-1)}, median ${ranks[Math.floor(ranks.length / 2)]}`,
    `left out of the change: ${percent(error)} of its norm in all, at most ${percent(maxError)} in one layer`,
    ...worst.map((one) => `  ${percent(one.error).padStart(8)}  rank ${one.rank}  ${one.layer}`),
  ].join("\n");
}

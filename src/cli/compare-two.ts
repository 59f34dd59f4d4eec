import Table from "cli-table3";
import { UsageError } from "../errors.ts";
import { openCheckpoint } from "../node/arithmetic/checkpoint.ts";
import {
  type ComparisonResult,
  compareVectors,
  differenceVector,
  loraVector,
  type ModelVector,
  type VectorComparison,
} from "../node/arithmetic/compare-vectors.ts";
import { checkHeatMapPath, writeHeatMap } from "../node/arithmetic/heat-map.ts";
import { baseOf, findLoraBase, type LoraBase, readLoraOperand } from "../node/arithmetic/lora-operand.ts";
import type { CliContext } from "./command.ts";
import { withProgress } from "./tensor-progress.ts";
import { untilStopped, type VectorOperand, vectorOperand, warnOfUnmatched } from "./vector-operand.ts";

/** What `fourstep compare` was told. */
export interface CompareCommandOptions {
  readonly base?: string;
  readonly directions: number;
  readonly heatmap?: string;
  readonly json?: boolean;
}

/** Compares two LoRAs, or what models differ from a base by. @throws FourstepError when they have no layer in common */
export async function compareTwo(
  a: string,
  b: string,
  options: CompareCommandOptions,
  context: CliContext,
): Promise<void> {
  if (options.heatmap !== undefined) checkHeatMapPath(options.heatmap);
  const operands = [await vectorOperand(a, "lora", context), await vectorOperand(b, "lora", context)] as const;
  const { result, names } = await untilStopped(context, () => compareOperands(operands, options, context));
  if (options.heatmap !== undefined) await writeHeatMap(options.heatmap, result, names.join(" and "));
  if (options.json === true) {
    const output = options.heatmap ?? null;
    context.stdout.write(
      `${JSON.stringify({ output, modules: result.all.layers, maxError: 0, a: names[0], b: names[1], ...result })}\n`,
    );
    return;
  }
  context.stdout.write(`${tableOf(names, result)}\n`);
}

interface Compared {
  readonly result: ComparisonResult;
  readonly names: readonly [string, string];
}

async function compareOperands(
  [a, b]: readonly [VectorOperand, VectorOperand],
  { base: given, directions }: CompareCommandOptions,
  context: CliContext,
): Promise<Compared> {
  const compare = async (first: ModelVector, second: ModelVector): Promise<Compared> => ({
    result: await withProgress(context, (onTensor) =>
      compareVectors(first, second, { directions, signal: context.signal, onTensor }),
    ),
    names: [first.name, second.name],
  });
  if (!a.isModel && !b.isModel) {
    const base = await findLoraBase(a.path, given);
    return compare(await readVector(a, base, context), await readVector(b, base, context));
  }
  if (given === undefined) {
    throw new UsageError("a model is compared by what it differs from its base by; name that with --base.");
  }
  await using base = await openCheckpoint(given);
  const layers = baseOf(base);
  await using first = a.isModel ? await openCheckpoint(a.path) : undefined;
  await using second = b.isModel ? await openCheckpoint(b.path) : undefined;
  return compare(
    first === undefined ? await readVector(a, layers, context) : differenceVector(first, base),
    second === undefined ? await readVector(b, layers, context) : differenceVector(second, base),
  );
}

async function readVector({ path }: VectorOperand, base: LoraBase, context: CliContext): Promise<ModelVector> {
  const lora = await readLoraOperand(path, base);
  warnOfUnmatched(lora, context);
  return loraVector(lora);
}

function tableOf([a, b]: readonly [string, string], { all, blocks }: ComparisonResult): string {
  const table = new Table({
    head: ["block", "layers", `norm of ${a}`, `norm of ${b}`, "cosine", "inputs (chance)", "outputs (chance)"],
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
  });
  for (const [block, row] of Object.entries(blocks)) table.push([block, ...cells(row)]);
  table.push(["all", ...cells(all)]);
  return table.toString();
}

function cells(row: VectorComparison): string[] {
  const number = (value: number | null, digits: number): string =>
    value === null ? "-" : value.toFixed(digits).replace(/^-(0\.0*)$/, "$1");
  const overlap = (value: number | null, chance: number | null): string => `${number(value, 3)} (${number(chance, 3)})`;
  return [
    String(row.layers),
    row.normA.toPrecision(4),
    row.normB.toPrecision(4),
    number(row.cosine, 3),
    overlap(row.inputs, row.inputsByChance),
    overlap(row.outputs, row.outputsByChance),
  ];
}

import { elementCount } from "../tensor/tensor.ts";
import { encode, type OnnxModel } from "./encode.ts";
import type { Operation } from "./operation.ts";
import { operationsInOrder } from "./order.ts";
import type { Value } from "./value.ts";

/** Smaller results are left where they are: the runtime folds them as quickly. */
const leastElements = 2 ** 14;
/** Results of one preparation in bytes, beyond the largest: the runtime holds them while we copy them. */
const bytesTogether = 2 ** 28;

const isLeaf = ({ source }: Value): boolean => source.kind === "constant" || source.kind === "file";

/**
 * The large values of a graph that depend on constants alone, each with a use that does not, in the order of the graph:
 * weights with adapters merged in, kernels in another form, numbers of a file as float32.
 * @param layouts whether the runtime brings weights into layouts of its own (`CompileOptions.layouts`). It does so with its
 * constants only, so that all are left to it but those for which it has none: the left factors of batched products.
 */
export function constantResults(outputs: readonly Value[], layouts = false): readonly Value[] {
  const fixed = new Set<Operation>();
  const found = new Set<Value>();
  const isFixed = (value: Value): boolean =>
    isLeaf(value) || (value.source.kind === "operation" && fixed.has(value.source.operation));
  for (const operation of operationsInOrder(outputs)) {
    // An operation without inputs, such as one that draws random numbers, is no constant.
    if (operation.inputs.length > 0 && operation.inputs.every(isFixed)) {
      fixed.add(operation);
      continue;
    }
    for (const value of operation.inputs) {
      if (!isFixed(value) || elementCount(value.shape) < leastElements) continue;
      if (layouts && !(operation.kind === "matmul" && value === operation.inputs[0])) continue;
      const root = unshaped(value);
      if (!isLeaf(root)) found.add(root);
    }
  }
  return [...found];
}

/** What a reshape describes anew: that costs nothing where it is used, but a copy where it is a result. */
function unshaped(value: Value): Value {
  const { source } = value;
  return source.kind === "operation" && source.operation.kind === "reshape"
    ? unshaped(source.operation.inputs[0]!)
    : value;
}

/** Whether a value depends on constants in memory, such as the factors of an adapter, beside those in files. */
function dependsOnMemory(value: Value): boolean {
  return operationsInOrder([value]).some(({ inputs }) =>
    inputs.some(({ source, shape }) => source.kind === "constant" && elementCount(shape) >= leastElements),
  );
}

/**
 * Writes a graph as `encode` does, but what follows from constants alone as graphs of their own, which a runtime computes
 * once, with all threads, and exchanges while the rest stays compiled. Those that adapters have no part in stand apart.
 * @param layouts as for `constantResults`
 * @throws FormatError as `encode`
 */
export function encodePrepared(outputs: Readonly<Record<string, Value>>, layouts = false): OnnxModel {
  const values = constantResults(Object.values(outputs), layouts);
  const names = new Map(values.map((value, i) => [value, `prepared ${i}`]));
  const parts = [values.filter((value) => !dependsOnMemory(value)), values.filter(dependsOnMemory)];
  const preparations = parts.flatMap(inPortions).map((portion) => {
    const results = Object.fromEntries(portion.map((value) => [names.get(value)!, value]));
    return encode(results, { giveConstants: true });
  });
  return { ...encode(outputs, { prepared: names }), preparations };
}

function inPortions(values: readonly Value[]): Value[][] {
  const portions: Value[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const value of values) {
    const size = 4 * elementCount(value.shape);
    if (bytes + size > bytesTogether) {
      portions.push([]);
      bytes = 0;
    }
    portions.at(-1)!.push(value);
    bytes += size;
  }
  return portions;
}

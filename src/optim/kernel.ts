import {
  add,
  addressAt,
  assemble,
  type Code,
  constant,
  divide,
  everySixteenBytes,
  type FunctionSource,
  f32,
  get,
  i32,
  load,
  multiply,
  set,
  splat,
  squareRoot,
  store,
  subtract,
  v128,
} from "./assembler.ts";

/** Elements of each block; four blocks stay in a core's second cache. */
export const blockLength = 8192;
// Blocks do not begin where the caller's arrays do modulo a page: copies between addresses that agree in their low
// twelve bits take four times as long.
const blockStride = blockLength * 4 + 512;
const firstBlock = 512;
const pages = 3;

/** The scalars of one AdamW update, as torch names and orders them. */
export interface AdamwScalars {
  /** Multiplies each gradient first (clipping, averaging). */
  readonly gradientFactor: number;
  /** 1 - beta1. */
  readonly firstWeight: number;
  readonly beta2: number;
  /** 1 - beta2. */
  readonly secondWeight: number;
  /** 1 - rate * weight decay. */
  readonly parameterFactor: number;
  /** rate / (1 - beta1^t). */
  readonly stepSize: number;
  /** sqrt(1 - beta2^t). */
  readonly rootCorrection: number;
  readonly epsilon: number;
}

/** Four blocks of float32 and the vectorised loops over their first elements. */
export interface Kernel {
  readonly blocks: readonly [Float32Array, Float32Array, Float32Array, Float32Array];
  /** Updates parameters (block 0), first (2) and second moment (3) by gradients (1). */
  adamw(count: number, scalars: AdamwScalars): void;
  /** Moves averages (block 1) towards parameters (block 0) by the given weight. */
  average(count: number, weight: number): void;
}

/** Float32 scalars of a function, spread over four lanes: parameter p (from 1) lies in local `firstLane + p - 1`. */
function spread(count: number, firstLane: number): Code {
  return Array.from({ length: count }, (_, index) => set(firstLane + index, splat(get(index + 1)))).flat();
}

function countedLoop(cursor: number, end: number, body: Code): Code {
  const countInBytes = [...get(0), ...constant(2), 0x74];
  return [...set(end, countInBytes), ...everySixteenBytes(cursor, end, body)];
}

function block(index: number, cursor: number): Code {
  return addressAt(get(cursor), constant(firstBlock + index * blockStride));
}

function adamwFunction(): FunctionSource {
  const [cursor, end, gradient, first, second, firstLane] = [9, 10, 11, 12, 13, 14];
  const [factor, firstWeight, beta2, secondWeight, parameterFactor, stepSize, rootCorrection, epsilon] = Array.from(
    { length: 8 },
    (_, index) => get(firstLane + index),
  ) as [Code, Code, Code, Code, Code, Code, Code, Code];
  const [g, m, v] = [get(gradient), get(first), get(second)];
  const denominator = add(divide(squareRoot(v), rootCorrection), epsilon);
  const body = [
    ...set(gradient, multiply(load(block(1, cursor)), factor)),
    ...set(first, load(block(2, cursor))),
    ...set(first, add(m, multiply(subtract(g, m), firstWeight))),
    ...set(second, add(multiply(load(block(3, cursor)), beta2), multiply(multiply(g, secondWeight), g))),
    ...store(block(2, cursor), m),
    ...store(block(3, cursor), v),
    ...store(
      block(0, cursor),
      subtract(multiply(load(block(0, cursor)), parameterFactor), divide(multiply(m, stepSize), denominator)),
    ),
  ];
  return {
    name: "adamw",
    parameters: [i32, f32, f32, f32, f32, f32, f32, f32, f32],
    locals: [i32, i32, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128, v128],
    body: [...spread(8, firstLane), ...countedLoop(cursor, end, body)],
  };
}

function averageFunction(): FunctionSource {
  const [cursor, end, average, weight] = [2, 3, 4, 5];
  const body = [
    ...set(average, load(block(1, cursor))),
    ...store(
      block(1, cursor),
      add(get(average), multiply(subtract(load(block(0, cursor)), get(average)), get(weight))),
    ),
  ];
  return {
    name: "average",
    parameters: [i32, f32],
    locals: [i32, i32, v128, v128],
    body: [...spread(1, weight), ...countedLoop(cursor, end, body)],
  };
}

// The part of WebAssembly's interface that is used here; the type libraries of Node and of browsers differ on it.
interface WebAssemblyHost {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (
      module: object,
    ) => {
      readonly exports: {
        readonly memory: { readonly buffer: ArrayBuffer };
        readonly adamw: (count: number, ...scalars: number[]) => void;
        readonly average: (count: number, weight: number) => void;
      };
    };
  };
}

/** Compiles the loops with memory of their own (192 KiB); one kernel serves one thread. */
export function createKernel(): Kernel {
  const { Module, Instance } = (globalThis as unknown as WebAssemblyHost).WebAssembly;
  const module = new Module(assemble([adamwFunction(), averageFunction()], pages));
  const { memory, adamw, average } = new Instance(module).exports;
  const at = (index: number): Float32Array =>
    new Float32Array(memory.buffer, firstBlock + index * blockStride, blockLength);
  return {
    blocks: [at(0), at(1), at(2), at(3)],
    adamw: (count, s) =>
      adamw(
        count,
        s.gradientFactor,
        s.firstWeight,
        s.beta2,
        s.secondWeight,
        s.parameterFactor,
        s.stepSize,
        s.rootCorrection,
        s.epsilon,
      ),
    average,
  };
}

/** Copies elements `begin` to `end` of a vector into the front of a block. */
export function fetchBlock(block: Float32Array, vector: Float32Array, begin: number, end: number): void {
  block.set(vector.subarray(begin, end));
}

/** Copies the front of a block back to elements `begin` to `end` of a vector. */
export function returnBlock(block: Float32Array, vector: Float32Array, begin: number, end: number): void {
  vector.set(end - begin === block.length ? block : block.subarray(0, end - begin), begin);
}

/**
 * The few WebAssembly encodings that the optimiser's inner loops need: JavaScript converts every float32 to float64 and
 * back, which costs AdamW four times the time that 128-bit vector instructions take.
 */

/** Encoded instructions. */
export type Code = readonly number[];

/** Value types of parameters, locals and results. */
export const i32 = 0x7f;
export const f32 = 0x7d;
export const v128 = 0x7b;
export type ValueType = typeof i32 | typeof f32 | typeof v128;

/** A function without results: parameters first, then locals, both addressed by index. */
export interface FunctionSource {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

function simd(opcode: number): number[] {
  return [0xfd, ...unsigned(opcode)];
}

/** Pushes a parameter or local. */
export function get(index: number): Code {
  return [0x20, ...unsigned(index)];
}

/** Evaluates `value` into a local. */
export function set(index: number, value: Code): Code {
  return [...value, 0x21, ...unsigned(index)];
}

/** Pushes a whole number. */
export function constant(value: number): Code {
  return [0x41, ...signed(value)];
}

/** Four float32 at a byte address. */
export function load(address: Code): Code {
  return [...address, ...simd(0x00), 2, 0];
}

/** Writes sixteen bytes at a byte address. */
export function store(address: Code, value: Code): Code {
  return [...address, ...value, ...simd(0x0b), 2, 0];
}

/** The same float32 in all four lanes. */
export function splat(value: Code): Code {
  return [...value, ...simd(0x13)];
}

/** Sums of four float32 lanes. */
export function add(a: Code, b: Code): Code {
  return [...a, ...b, ...simd(0xe4)];
}

/** Differences of four float32 lanes. */
export function subtract(a: Code, b: Code): Code {
  return [...a, ...b, ...simd(0xe5)];
}

/** Products of four float32 lanes. */
export function multiply(a: Code, b: Code): Code {
  return [...a, ...b, ...simd(0xe6)];
}

/** Quotients of four float32 lanes. */
export function divide(a: Code, b: Code): Code {
  return [...a, ...b, ...simd(0xe7)];
}

/** Square roots of four float32 lanes. */
export function squareRoot(a: Code): Code {
  return [...a, ...simd(0xe3)];
}

/** Runs `body` while the byte address in local `cursor` is below the one in local `end`, sixteen bytes a turn. */
export function everySixteenBytes(cursor: number, end: number, body: Code): Code {
  const advance = [...get(cursor), ...constant(16), 0x6a, 0x22, ...unsigned(cursor)];
  const again = [...get(end), 0x49, 0x0d, 0];
  return [0x03, 0x40, ...body, ...advance, ...again, 0x0b];
}

/** Sum of two addresses. */
export function addressAt(base: Code, offset: Code): Code {
  return [...base, ...offset, 0x6a];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = [...unsigned(items.length), ...items.flat()];
  return [id, ...unsigned(content.length), ...content];
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...Array.from(value, (letter) => letter.charCodeAt(0))];
}

/** Encodes a module that owns `pages` pages (64 KiB each) of memory, exported as `memory`, beside its functions. */
export function assemble(functions: readonly FunctionSource[], pages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...unsigned(parameters.length), ...parameters, 0]);
  const exports = functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]);
  const bodies = functions.map(({ locals, body }) => {
    const content = [...unsigned(locals.length), ...locals.flatMap((type) => [1, type]), ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(5, [[1, ...unsigned(pages), ...unsigned(pages)]]),
    ...section(7, [[...text("memory"), 2, 0], ...exports]),
    ...section(10, bodies),
  ]);
}

import type { KernelCall } from "./profiling-runtime.ts";

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Floating-point operations of products and convolutions, a multiply-add being two; 0 for all else. */
export function operationsOf({ type, inputs, outputs }: KernelCall): number {
  const [a, b] = inputs;
  const result = outputs[0];
  if (a === undefined || result === undefined) return 0;
  if (/Conv/.test(type)) return 2 * product(result) * product((b ?? []).slice(1));
  if (/Gemm|MatMul/.test(type)) {
    const columns = result.at(-1)!;
    return 2 * product(result) * (product(a) / (product(result) / columns));
  }
  if (/Attention/.test(type)) {
    const keys = inputs[1]!.at(-2)!;
    return 4 * product(a) * keys;
  }
  return 0;
}

interface Line {
  readonly name: string;
  readonly calls: number;
  readonly microseconds: number;
  readonly operations: number;
}

function grouped(kernels: readonly KernelCall[], nameOf: (kernel: KernelCall) => string): Line[] {
  const lines = new Map<string, Line>();
  for (const kernel of kernels) {
    const name = nameOf(kernel);
    const { calls, microseconds, operations } = lines.get(name) ?? { calls: 0, microseconds: 0, operations: 0 };
    lines.set(name, {
      name,
      calls: calls + 1,
      microseconds: microseconds + kernel.microseconds,
      operations: operations + operationsOf(kernel),
    });
  }
  return [...lines.values()].sort((a, b) => b.microseconds - a.microseconds);
}

const rowOf = ({ name, calls, microseconds, operations }: Line, total: number, peak: number): string => {
  const speed = operations / microseconds / 1000;
  const [work, reached, share] =
    operations === 0
      ? ["", "", ""]
      : [(operations / 1e9).toFixed(1), speed.toFixed(0), `${((100 * speed) / peak).toFixed(0)} %`];
  const part = `${((100 * microseconds) / total).toFixed(1)} %`;
  return `| ${name} | ${calls} | ${(microseconds / 1000).toFixed(1)} | ${part} | ${work} | ${reached} | ${share} |`;
};

const head = (name: string): string =>
  `| ${name} | calls | ms | of the time | GFLOP | GFLOP/s | of peak |\n|---|---:|---:|---:|---:|---:|---:|`;

/** Where a run's time went: by operation, then the costliest shapes. */
export function profileTables(kernels: readonly KernelCall[], peak: number, shapes: number): string {
  const total = kernels.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const operations = kernels.reduce((sum, kernel) => sum + operationsOf(kernel), 0);
  const all: Line = { name: "**all**", calls: kernels.length, microseconds: total, operations };
  const byShape = (kernel: KernelCall): string =>
    `${kernel.type} ${kernel.inputs
      .slice(0, 2)
      .map((shape) => shape.join("x"))
      .join(", ")} to ${(kernel.outputs[0] ?? []).join("x")}`;
  const rows = (lines: readonly Line[]): string => lines.map((line) => rowOf(line, total, peak)).join("\n");
  return [
    `${head("operation")}\n${rows([...grouped(kernels, ({ type }) => type), all])}`,
    `${head("costliest shapes")}\n${rows(grouped(kernels, byShape).slice(0, shapes))}`,
  ].join("\n\n");
}

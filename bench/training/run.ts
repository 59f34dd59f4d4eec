/**
 * `npm run bench:training -- --python PATH [--rounds N]`: torch's training step beside ours, in alternating processes of
 * two threads (torch) and two workers (ours), on the same network and batch. Prints the best and the median of each and
 * their ratios.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { python: { type: "string", default: "python3" }, rounds: { type: "string", default: "3" } },
});
const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
// The C library returns large blocks to the system and clears them again, at each step; this keeps them.
const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: "4294967296", MALLOC_TRIM_THRESHOLD_: "17179869184" };
const run = (command: string, args: readonly string[]): { seconds: number[]; parameters: number } => {
  const lines = execFileSync(command, [...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    .trim()
    .split("\n");
  return JSON.parse(lines.at(-1)!);
};
const contenders = {
  torch: () => run(values.python, [file("./torch_step.py"), "2"]),
  ours: () => run(process.execPath, ["--import", "tsx", file("./our-step.ts"), "2"]),
};
const seconds = { torch: [] as number[], ours: [] as number[] };
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of ["torch", "ours"] as const) {
    const result = contenders[name]();
    seconds[name].push(...result.seconds);
    console.log(
      `${name}: ${result.parameters.toLocaleString("en")} parameters, best ${(1000 * Math.min(...result.seconds)).toFixed(1)} ms`,
    );
  }
}
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;
for (const name of ["torch", "ours"] as const) {
  console.log(
    `${name.padEnd(6)} steps/s: best ${(1 / Math.min(...seconds[name])).toFixed(2)}, median ${(1 / median(seconds[name])).toFixed(2)}`,
  );
}
console.log(
  `ours / torch: best ${(Math.min(...seconds.torch) / Math.min(...seconds.ours)).toFixed(2)}, median ${(median(seconds.torch) / median(seconds.ours)).toFixed(2)}`,
);

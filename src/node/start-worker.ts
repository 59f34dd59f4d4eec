import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts the worker in `name` (without ending) beside the module `base`. Built, it is JavaScript; from source it is
 * TypeScript, for which a thread needs the loader of its own that its parent had.
 */
export function startWorker(name: string, base: string, options: WorkerOptions): Worker {
  const fromSource = base.endsWith(".ts");
  const url = new URL(`./${name}${fromSource ? ".ts" : ".js"}`, base);
  if (!fromSource) return new Worker(url, options);
  const boot = `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(url.href)}); });`;
  return new Worker(boot, { ...options, eval: true });
}

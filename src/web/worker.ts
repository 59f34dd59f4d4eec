/** The whole of a worker that draws: a file of a worker imports this, `import "fourstep/web/worker";`, and nothing else. */
import type { WorkerPort } from "./messages.ts";
import { serveStudio } from "./serve-studio.ts";

serveStudio(globalThis as unknown as WorkerPort);

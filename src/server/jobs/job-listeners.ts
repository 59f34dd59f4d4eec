import type { JobEvent, JobListener } from "./job.ts";

/** Who is told of which job, within one process. */
export interface JobListeners {
  add(id: string, listener: JobListener): () => void;
  tell(id: string, event: JobEvent): void;
}

export function jobListeners(): JobListeners {
  const byJob = new Map<string, Set<JobListener>>();
  return {
    add(id, listener) {
      const listeners = byJob.get(id) ?? new Set();
      byJob.set(id, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && byJob.get(id) === listeners) byJob.delete(id);
      };
    },
    tell(id, event) {
      for (const listener of [...(byJob.get(id) ?? [])]) listener(event);
    },
  };
}

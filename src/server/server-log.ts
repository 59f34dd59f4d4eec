/** A log of one JSON object a line. Prompts, keys and the addresses of pictures do not belong in it. */
export interface ServerLog {
  info(message: string, facts?: Readonly<Record<string, unknown>>): void;
  error(message: string, facts?: Readonly<Record<string, unknown>>): void;
}

/** @param write takes one line, with its end */
export function serverLog(write: (line: string) => void, now: () => Date = () => new Date()): ServerLog {
  const log =
    (level: "info" | "error") =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}): void => {
      const shown = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, plain(value)]));
      write(`${JSON.stringify({ time: now().toISOString(), level, message, ...shown })}\n`);
    };
  return { info: log("info"), error: log("error") };
}

/** An error with its stack, which the log alone shows. */
function plain(value: unknown): unknown {
  return value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value;
}

import { posix } from "node:path";

/** The rooms under `src/` by their stratum: a file imports from its own room or from a strictly lower stratum. */
const strata: Readonly<Record<string, number>> = {
  "errors.ts": 0,
  tensor: 1,
  diffusion: 1,
  formats: 2,
  samplers: 2,
  graph: 3,
  autodiff: 4,
  optim: 4,
  runtime: 4,
  models: 5,
  adapters: 6,
  generate: 7,
  training: 7,
  evaluation: 8,
  node: 9,
  web: 9,
  server: 10,
  cli: 11,
  "index.ts": 12,
};
const lastForBothWorlds = 8;
const mostLines = 400;
/** Packages that Node and browsers both load. */
const packages: ReadonlySet<string> = new Set(["#ort", "onnxruntime-common", "zod"]);
const nodeGlobals = /(?<![\w.$"'#])(process|Buffer|__dirname|__filename|require|setImmediate|global)(?=[.(])/g;

const roomOf = (path: string): string => path.split("/")[1]!;
const forNode = (path: string): boolean => path.endsWith(".node.ts");
/** Whether Node and browsers both load it; the room for browsers lies beside Node's. */
const forBoth = (path: string): boolean =>
  (strata[roomOf(path)]! <= lastForBothWorlds || roomOf(path) === "web") && !forNode(path);

const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|(?<![:"'`])\/\/[^\n]*/g, "");

/** What a module imports, statically or not. */
const importsOf = (code: string): string[] =>
  [...code.matchAll(/(?<![.\w])(?:from|import)\s*\(?\s*"([^"\n]+)"(?=\)|;?\s*$)/gm)].map((match) => match[1]!);

function importFault(path: string, imported: string): string | undefined {
  const room = roomOf(path);
  const stratum = strata[room]!;
  const bothWorlds = forBoth(path);
  if (!imported.startsWith(".")) {
    return bothWorlds && !packages.has(imported) ? `imports ${imported}, which browsers may lack` : undefined;
  }
  const target = posix.join(posix.dirname(path), imported);
  if (!target.startsWith("src/")) return `imports ${target}, which lies outside src/`;
  const targetStratum = strata[roomOf(target)];
  if (targetStratum === undefined) return `imports ${target}, whose folder has no stratum`;
  if (bothWorlds && forNode(target)) return `imports ${target}, which needs Node`;
  if (roomOf(target) === room || targetStratum < stratum) return undefined;
  return `imports ${target}: ${roomOf(target)} (stratum ${targetStratum}) is not below ${room} (stratum ${stratum})`;
}

/** What breaks the order of the house, one sentence each. Paths begin with `src/`; tests are not held to the strata. */
export function faultsOf(files: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  for (const [path, text] of files) {
    const lines = text.trimEnd().split("\n").length;
    if (lines > mostLines) faults.push(`${path} has ${lines} lines, more than ${mostLines}`);
    if (path.endsWith(".test.ts")) continue;
    const stratum = strata[roomOf(path)];
    if (stratum === undefined) {
      faults.push(`${path} lies in a folder without a stratum`);
      continue;
    }
    const code = withoutComments(text);
    for (const imported of importsOf(code)) {
      const fault = importFault(path, imported);
      if (fault !== undefined) faults.push(`${path} ${fault}`);
    }
    if (forBoth(path)) {
      for (const name of new Set([...code.matchAll(nodeGlobals)].map((match) => match[1]!))) {
        faults.push(`${path} uses ${name}, which browsers lack`);
      }
    }
  }
  return faults;
}

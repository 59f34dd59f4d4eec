import { fileURLToPath } from "node:url";

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The package's names as its source, for pages that tests build; preact stands in for React. */
export const sourceAliases: readonly { readonly find: RegExp; readonly replacement: string }[] = [
  { find: /^fourstep$/, replacement: source("src/index.ts") },
  { find: /^fourstep\/(node|web)$/, replacement: source("src/$1/index.ts") },
  { find: /^fourstep\/web\/worker$/, replacement: source("src/web/worker.ts") },
  { find: /^react(-dom)?$/, replacement: "preact/compat" },
  { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
  { find: /^react\/(jsx-runtime|jsx-dev-runtime)$/, replacement: "preact/$1" },
];

/** A word, or what stands in brackets or quotes, with its own weight. */
export type CompelNode = string | { readonly weight: number; readonly children: readonly CompelNode[] };

const plusFactor = 1.1;
const minusFactor = 0.9;

/** Something that was read, and where the rest begins. */
interface Read<T> {
  readonly value: T;
  readonly end: number;
}

// All patterns are matched at a place.

/** A word without syntax: escaped characters, signs that something follows, and whatever else has no meaning. */
const plainWord = /(?:\\[()",.+\-=]|[+-](?![\s()",.+\-=]|$)|[^\s()",.+\-=])+/;
const signs = /\++|-+/;
const signsOrNumber = /\++|-+|[+-]?(?:\d+\.\d*|\.\d+|\d+)/;
const anyWord = /\S+/;
const spaces = /\s*/;
const quoted = /"((?:\\"|[^"\n])*)"/;
const attend = /\s*\.attend\s*\(\s*(\++|-+|[+-]?(?:\d+\.\d*|\.\d+|\d+))\s*\)/;

/** A text, and the places of brackets in it that were found to be no group, so that none is tried twice. */
interface Source {
  readonly text: string;
  readonly unclosed: Set<number>;
}

/** Deeper brackets than these are text. */
const deepest = 32;

/** A whole prompt: what is no syntax is a word, whatever characters it has. */
export function readPrompt(text: string): CompelNode[] {
  const source = { text, unclosed: new Set<number>() };
  const nodes: CompelNode[] = [];
  for (let at = skip(text, 0); at < text.length; at = skip(text, at)) {
    const read = group(source, at, 0) ?? weightedWord(text, at) ?? word(anyWord, text, at)!;
    nodes.push(read.value);
    at = read.end;
  }
  return nodes;
}

/** The texts of a blend or conjunction, between commas; undefined when they are not such texts. */
export function readTargets(text: string): CompelNode[][] | undefined {
  const source = { text, unclosed: new Set<number>() };
  const targets: CompelNode[][] = [];
  for (let at = 0; ; at++) {
    at = skip(text, at);
    const read =
      quotedGroup(text, at, 0) ?? quotedPrompt(text, at) ?? bracketed(source, at, 0) ?? word(plainWord, text, at);
    if (read === undefined) return undefined;
    targets.push([read.value]);
    at = skip(text, read.end);
    if (at >= text.length) return targets;
    if (text[at] !== ",") return undefined;
  }
}

/** What stands in quotes or brackets, with the operator behind it, if there is one. */
function group(source: Source, at: number, depth: number): Read<CompelNode> | undefined {
  const target = quotedGroup(source.text, at, depth) ?? bracketed(source, at, depth);
  return target === undefined ? undefined : (weighted(target, signsOrNumber, source.text) ?? target);
}

/** A word with an operator behind it. */
function weightedWord(text: string, at: number): Read<CompelNode> | undefined {
  const target = word(plainWord, text, at);
  return target === undefined ? undefined : weighted(target, signs, text);
}

function weighted(target: Read<CompelNode>, operators: RegExp, text: string): Read<CompelNode> | undefined {
  const explicit = match(attend, text, target.end);
  const [whole, operator] = explicit ?? [match(operators, text, target.end)?.[0]];
  const sign = operator ?? whole;
  if (whole === undefined || sign === undefined) return undefined;
  const weight = /^\++$/.test(sign)
    ? plusFactor ** sign.length
    : /^-+$/.test(sign)
      ? minusFactor ** sign.length
      : Number(sign);
  return { value: { weight, children: [target.value] }, end: target.end + whole.length };
}

/** What stands in quotes, when it follows the syntax from end to end. */
function quotedGroup(text: string, at: number, depth: number): Read<CompelNode> | undefined {
  const whole = match(quoted, text, at);
  if (whole === null) return undefined;
  const inner = unquote(whole[1]!);
  const { value, end } = fragments({ text: inner, unclosed: new Set() }, 0, depth + 1);
  return end < inner.length ? undefined : { value: { weight: 1, children: value }, end: at + whole[0].length };
}

/** What stands in quotes, whatever it is. */
function quotedPrompt(text: string, at: number): Read<CompelNode> | undefined {
  const whole = match(quoted, text, at);
  if (whole === null) return undefined;
  return { value: { weight: 1, children: readPrompt(unquote(whole[1]!)) }, end: at + whole[0].length };
}

function bracketed(source: Source, at: number, depth: number): Read<CompelNode> | undefined {
  const { text, unclosed } = source;
  if (text[at] !== "(" || depth >= deepest || unclosed.has(at)) return undefined;
  const { value, end } = fragments(source, at + 1, depth + 1);
  if (text[end] === ")") return { value: { weight: 1, children: value }, end: end + 1 };
  unclosed.add(at);
  return undefined;
}

/** Words, groups, commas and periods, as far as they reach. */
function fragments(source: Source, from: number, depth: number): Read<CompelNode[]> {
  const { text } = source;
  const value: CompelNode[] = [];
  let at = skip(text, from);
  for (;;) {
    const sign = text[at] === "," || text[at] === "." ? { value: text[at]!, end: at + 1 } : undefined;
    const read = group(source, at, depth) ?? weightedWord(text, at) ?? word(plainWord, text, at) ?? sign;
    if (read === undefined) return { value, end: at };
    value.push(read.value);
    at = skip(text, read.end);
  }
}

function word(pattern: RegExp, text: string, at: number): Read<string> | undefined {
  const found = match(pattern, text, at)?.[0];
  return found === undefined ? undefined : { value: found.replace(/\\([()",.+\-=])/g, "$1"), end: at + found.length };
}

const unquote = (text: string): string => text.replaceAll('\\"', '"');

const skip = (text: string, at: number): number => at + match(spaces, text, at)![0].length;

/** Matches at a place only; the pattern itself keeps no place. */
function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  const sticky = new RegExp(pattern.source, "y");
  sticky.lastIndex = at;
  return sticky.exec(text);
}

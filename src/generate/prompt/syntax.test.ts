import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseA1111, promptEditing } from "./a1111-syntax.ts";
import { parseCompel } from "./compel-syntax.ts";
import type { PromptLine } from "./piece.ts";
import { parsePrompt, promptSyntaxes, promptWords } from "./syntax.ts";

/** Pieces as `text@weight`, to two digits. */
const shown = (line: PromptLine): string[] =>
  line.map((piece) => (piece === "break" ? "break" : `${piece.text}@${Number(piece.weight.toFixed(4))}`));

describe("A1111's syntax", () => {
  it.each([
    ["a red apple, 16:9", ["a red apple, 16:9@1"]],
    ["a (red) apple", ["a @1", "red@1.1", " apple@1"]],
    ["a [red] apple", ["a @1", "red@0.9091", " apple@1"]],
    ["a (red:1.3) apple", ["a @1", "red@1.3", " apple@1"]],
    ["((a)) (b:.5) (c: -1 )", ["a@1.21", " @1", "b@0.5", " @1", "c@-1"]],
    ["(a (b:0.5) c:2)", ["a @2", "b@1", " c@2"]],
    [String.raw`\(a\) \[b\] \\ c\d`, [String.raw`(a) [b] \ cd@1`]],
    ["(a, b", ["a, b@1.1"]],
    ["a) b] (c:x)", ["a) b] @1", "c:x@1.1"]],
    ["a BREAK b BREAKS", ["a@1", "break", "b BREAKS@1"]],
    ["(a BREAK b:1.2)", ["a@1.2", "break", "b@1.2"]],
    ["", []],
  ])("%j", (text, pieces) => expect(shown(parseA1111(text))).toEqual(pieces));

  it("finds what A1111 would change between steps", () => {
    expect(promptEditing("a [cat:dog:0.5] here")).toBe("[cat:dog:0.5]");
    expect(promptEditing("a [dog:10]")).toBe("[dog:10]");
    expect(promptEditing("a [cat|dog]")).toBe("[cat|dog]");
    for (const text of ["a [cat]", "a (cat:0.5)", String.raw`a \[cat:dog:0.5\]`, "16:9 | 4:3"]) {
      expect(promptEditing(text)).toBeUndefined();
    }
  });
});

describe("Compel's syntax", () => {
  const only = (text: string): string[] => shown(parseCompel(text)[0]!.blend.lines[0]!);

  it.each([
    ["a red apple", ["a red apple@1"]],
    ["a red++ apple-", ["a@1", "red@1.21", "apple@0.9"]],
    ["(a red)1.3 apple", ["a red@1.3", "apple@1"]],
    ['"a red"++ apple', ["a red@1.21", "apple@1"]],
    ["(a (red)1.5 apple)0.5", ["a@0.5", "red@0.75", "apple@0.5"]],
    ["(a).attend(--) b", ["a@0.81", "b@1"]],
    ["well-known x+y 3-4 a -", ["well-known x+y 3-4 a -@1"]],
    [String.raw`a \(b\) c\+`, ["a (b) c+@1"]],
    ["(a + b) c", ["(a + b) c@1"]],
    ["a,b", ["a, b@1"]],
    ["((a", ["((a@1"]],
  ])("%j", (text, pieces) => expect(only(text)).toEqual(pieces));

  it("blends and joins texts", () => {
    const [blend, ...none] = parseCompel('("a b", "c++").blend(3, 1)');
    expect(none).toEqual([]);
    expect(blend!.blend.weights).toEqual([0.75, 0.25]);
    expect(blend!.blend.lines.map(shown)).toEqual([["a b@1"], ["c@1.21"]]);
    expect(parseCompel('("a", "b").blend(1, -1, no_normalize)')[0]!.blend.weights).toEqual([1, -1]);
    expect(parseCompel('("a", "b").and(1, 0.5)').map(({ weight }) => weight)).toEqual([1, 0.5]);
    expect(parseCompel("(a, b, c).and()").map(({ blend: { lines } }) => shown(lines[0]!))).toEqual([
      ["a@1"],
      ["b@1"],
      ["c@1"],
    ]);
  });

  it.each([
    ['("a", "b").blend(1)', "2 texts need 2 numbers as weights"],
    ['("a", "b").and(1, x)', "2 texts need 2 numbers as weights"],
    ['("a", "b").blend(1, -1)', "must not add up to 0"],
    ['a "cat".swap("dog")', ".swap() is not understood here"],
    ["a cat withLora(x, 0.5)", "give LoRAs with --lora"],
    ['("a", "b").and() c', "it takes a whole prompt"],
  ])("refuses %j", (text, sentence) => expect(() => parseCompel(text)).toThrow(sentence));
});

describe("all syntaxes", () => {
  it("leave a prompt without signs as it is", () => {
    for (const syntax of promptSyntaxes) {
      expect(promptWords(parsePrompt("a red apple, flat style", syntax))).toBe("a red apple, flat style");
    }
  });

  it("read any text in little time, or refuse it in a sentence", () => {
    const signs = fc.string({ unit: fc.constantFrom(...'()[]"\\:+-.,|a1 ', "BREAK", ".and(", "0.5"), maxLength: 60 });
    const text = fc.oneof(signs, fc.string({ unit: "binary", maxLength: 60 }));
    fc.assert(
      fc.property(text, fc.constantFrom(...promptSyntaxes), (prompt, syntax) => {
        try {
          expect(typeof promptWords(parsePrompt(prompt, syntax))).toBe("string");
        } catch (error) {
          expect(error).toMatchObject({ name: "UsageError" });
        }
      }),
      { numRuns: 300 },
    );
    for (const sign of ["(", "[", '"', '("', "( ", "((a)++ ", "\\"]) {
      for (const syntax of promptSyntaxes) parsePrompt(sign.repeat(2000), syntax);
    }
  });
});

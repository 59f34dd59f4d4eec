import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Infotext, parseInfotext, writeInfotext } from "./infotext.ts";

const settings = (pairs: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(pairs));

describe("parseInfotext", () => {
  it("reads a text as image programs write it", () => {
    const text = `masterpiece, 1girl,
(detailed:1.2) <lora:lcm:1>
Negative prompt: lowres, bad
anatomy
Steps: 4, Sampler: LCM, Schedule type: SGM Uniform, CFG scale: 1.5, Seed: 1234567890, Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned, Lora hashes: "lcm: 8f90d840e075, paper: 0b1f", Version: v1.10.1`;
    expect(parseInfotext(text)).toEqual({
      prompt: "masterpiece, 1girl,\n(detailed:1.2) <lora:lcm:1>",
      negativePrompt: "lowres, bad\nanatomy",
      settings: settings({
        Steps: "4",
        Sampler: "LCM",
        "Schedule type": "SGM Uniform",
        "CFG scale": "1.5",
        Seed: "1234567890",
        Size: "512x768",
        "Model hash": "6ce0161689",
        Model: "v1-5-pruned",
        "Lora hashes": "lcm: 8f90d840e075, paper: 0b1f",
        Version: "v1.10.1",
      }),
    });
  });

  it("takes a last line with fewer than three settings for prompt", () => {
    expect(parseInfotext("a fox\nlight: soft, mood: calm")).toEqual({
      prompt: "a fox\nlight: soft, mood: calm",
      negativePrompt: "",
      settings: new Map(),
    });
    expect(parseInfotext("").prompt).toBe("");
  });

  it("keeps a quoted value that is no JSON as it is", () => {
    expect(parseInfotext('x\nSteps: 1, Seed: 2, Note: "bad \\x"').settings.get("Note")).toBe('"bad \\x"');
  });
});

describe("writeInfotext", () => {
  it("writes prompt, negative prompt and settings, quoting where it must", () => {
    const text = writeInfotext({
      prompt: "a fox",
      negativePrompt: "blurry",
      settings: settings({ Steps: "4", Model: "a, b", Time: "1:30", Note: 'say "hi"', Empty: "" }),
    });
    expect(text).toBe(
      'a fox\nNegative prompt: blurry\nSteps: 4, Model: "a, b", Time: "1:30", Note: "say \\"hi\\"", Empty: ""',
    );
  });

  it("comes back from the parser", () => {
    const line = fc.string().map((text) => text.replaceAll(/\s+/g, " ").trim());
    const prompt = line.filter((text) => !text.startsWith("Negative prompt:"));
    const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_ \-/]{0,20}[A-Za-z0-9]$/);
    const value = fc.oneof(fc.string({ unit: "grapheme" }), fc.integer().map(String));
    const pairs = fc.dictionary(name, value, { minKeys: 3, noNullPrototype: true });
    const infotext = fc.record<Infotext>({ prompt, negativePrompt: line, settings: pairs.map(settings) });
    fc.assert(
      fc.property(infotext, (given) => {
        expect(parseInfotext(writeInfotext(given))).toEqual(given);
      }),
    );
  });

  it("refuses what would not come back", () => {
    const few = { prompt: "", negativePrompt: "", settings: settings({ Steps: "4", Seed: "1" }) };
    expect(() => writeInfotext(few)).toThrow("an infotext needs at least 3 settings, but has 2.");
    const odd = { ...few, settings: settings({ Steps: "4", Seed: "1", "a:b": "c" }) };
    expect(() => writeInfotext(odd)).toThrow('"a:b" cannot name a setting');
  });
});

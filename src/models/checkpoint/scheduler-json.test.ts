import { describe, expect, it } from "vitest";
import { FormatError } from "../../errors.ts";
import { parseSchedulerJson } from "./scheduler-json.ts";

describe("parseSchedulerJson", () => {
  it("reads the numbers that only Python writes as null, and leaves texts alone", () => {
    const text =
      '{"lambda_min_clipped": -Infinity, "a": [NaN, Infinity], "note": "to -Infinity \\" NaN", "beta_end": 0.012}';
    expect(parseSchedulerJson(text, "s.json")).toEqual({
      lambda_min_clipped: null,
      a: [null, null],
      note: 'to -Infinity " NaN',
      beta_end: 0.012,
    });
  });

  it("refuses what is not JSON otherwise", () => {
    expect(() => parseSchedulerJson('{"a": Infinite}', "s.json")).toThrow(FormatError);
    expect(() => parseSchedulerJson('{"a": "open -Infinity', "s.json")).toThrow("s.json");
  });
});

import { describe, expect, it } from "vitest";
import { FormatError } from "../../errors.ts";
import { isPictureName, parseMetadata, pathBelow } from "./metadata.ts";

describe("parseMetadata", () => {
  it("reads rows with text, with caption and with subject, past blank lines and a byte order mark", () => {
    const content =
      '\uFEFF{"file_name":"a.png","text":"a fox"}\r\n\r\n{"file_name":"sub/./b.jpg","caption":"an owl"}\n' +
      '{"file_name":"c.webp","subject":"car","synonyms":["automobile"],"style":"flat","split":"heldout","width":3}\n';
    expect(parseMetadata(content, "metadata.jsonl")).toEqual([
      { fileName: "a.png", text: "a fox" },
      { fileName: "sub/b.jpg", text: "an owl" },
      { fileName: "c.webp", subject: "car", synonyms: ["automobile"], style: "flat", split: "heldout" },
    ]);
  });

  it.each([
    ["{", "line 2"],
    ['{"text":"a fox"}', "file_name"],
    ['{"file_name":"b.png"}', "caption is missing"],
    ['{"file_name":"b.png","text":3}', '"text" must be a text'],
    ['{"file_name":"b.png","text":"x","synonyms":"y"}', '"synonyms" must be a list'],
    ['{"file_name":"../b.png","text":"x"}', "below the folder"],
    ['{"file_name":"./a.png","text":"x"}', "line 1"],
  ])("refuses the line %s", (line, message) => {
    const content = `{"file_name":"a.png","text":"fine"}\n${line}\n`;
    expect(() => parseMetadata(content, "metadata.jsonl")).toThrow(FormatError);
    expect(() => parseMetadata(content, "metadata.jsonl")).toThrow(message);
  });
});

describe("pathBelow", () => {
  it.each(["/etc/passwd", "C:\\x.png", "a/../../b", "..", "", "a\0.png"])("refuses %j", (path) => {
    expect(() => pathBelow(path, "here")).toThrow(FormatError);
  });

  it("joins with slashes", () => {
    expect(pathBelow("a\\b//c.png", "here")).toBe("a/b/c.png");
  });
});

describe("isPictureName", () => {
  it("goes by the end of the name", () => {
    expect(["a.PNG", "a.jpeg", "a.jpg", "a.webp", "a.gif", "png", "a.png.txt"].map(isPictureName)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

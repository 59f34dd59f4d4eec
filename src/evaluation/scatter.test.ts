import { expect, it } from "vitest";
import { drawScatter } from "./scatter.ts";

const at = (name: string, x: number, value: number) => ({
  ...{ name, x, strong: false },
  y: { value, low: value - 1, high: value + 1, level: 0.95 },
});

it("keeps names of near points apart, and within the plot", () => {
  const svg = drawScatter({ across: "calls", points: [1, 1.1, 1.2, 60, 64].map((x, i) => at(`sampler ${i}`, x, 5)) });
  const places = [...svg.matchAll(/class="name" x="([\d.]+)" y="([\d.]+)">/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  expect(places).toHaveLength(5);
  const width = "sampler 0".length * 6.6;
  places.forEach(([x, y], i) => {
    expect(x).toBeGreaterThan(0);
    expect(x! + width).toBeLessThan(560);
    for (const [otherX, otherY] of places.slice(i + 1))
      expect(Math.abs(x! - otherX!) >= width || Math.abs(y! - otherY!) >= 13).toBe(true);
  });
});

it("draws nothing of nothing, and one point without a scale", () => {
  expect(drawScatter({ across: "calls", points: [] })).toBe("");
  expect(drawScatter({ across: "calls", points: [at("alone <1>", 4, 0)] })).toContain("alone &lt;1&gt;");
});

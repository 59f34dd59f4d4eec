import { afterAll, describe, expect, test } from "vitest";
import { type Build, checkGradients, compareGradient, evaluate } from "../../src/autodiff/check.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { buildOf, compositions, cutGradients, kinds } from "./cases.ts";
import { caseInputs, compileWith, pointOf, testRuntime, torchResults } from "./harness.ts";

const runtime = testRuntime();
const compile = compileWith(runtime);
afterAll(() => runtime.dispose());

const numbers = ({ data }: Tensor): Float32Array => data as Float32Array;
const all = Object.entries({ ...kinds, ...compositions });

describe.each(all)("%s", (kind, cases) => {
  test.each(Object.entries(cases))("%s", async (name, run) => {
    const point = pointOf(kind, name);
    const build: Build = buildOf(run, Object.keys(point));
    const { value, gradients } = await evaluate(compile, build, point);

    const expected = torchResults.get(`${kind}/${name}`)!;
    expect(value.shape).toEqual(expected.shape);
    const worst = [compareGradient("value", numbers(value), numbers(expected))];
    for (const [input, gradient] of Object.entries(gradients)) {
      expect(gradient.shape).toEqual(point[input]!.shape);
      worst.push(compareGradient(input, numbers(gradient), numbers(torchResults.get(`${kind}/${name}/${input}`)!)));
    }
    expect(worst.filter(({ error }) => !(error < 1e-5))).toEqual([]);

    if (cutGradients.has(`${kind}/${name}`)) return;
    const comparisons = await checkGradients(compile, build, point, { elements: 12 });
    expect(comparisons.filter(({ error }) => !(error < 1e-3))).toEqual([]);
  });
});

test("the fixtures hold these cases and no others", () => {
  const named = all.flatMap(([kind, cases]) => Object.keys(cases).map((name) => `${kind}/${name}`));
  const stored = Object.entries(caseInputs).flatMap(([kind, cases]) =>
    Object.keys(cases).map((name) => `${kind}/${name}`),
  );
  expect(stored.sort()).toEqual(named.sort());
});

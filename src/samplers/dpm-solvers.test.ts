import { describe, expect, it } from "vitest";
import { goldenNetwork, goldenStart, lastStep, sumOfMagnitudes } from "../../test/samplers/golden.ts";
import { stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { UsageError } from "../errors.ts";
import { dpmMultistep, dpmMultistepDefaults, dpmMultistepFromConfig } from "./dpm-multistep.ts";
import { dpmDefaults } from "./dpm-options.ts";
import { dpmSinglestep, dpmSinglestepFromConfig, singlestepOrders } from "./dpm-singlestep.ts";
import type { Sampler } from "./sampler.ts";

const schedule = stableDiffusionSchedule();
const config = { final_sigmas_type: "sigma_min", lower_order_final: false };
const request = { config, steps: 10, strength: 1 };

async function mean(sampler: Sampler): Promise<number> {
  const noise = () => {
    throw new Error("A deterministic sampler asked for noise.");
  };
  const { latents } = await lastStep(sampler, { latents: goldenStart, predict: goldenNetwork, noise });
  return sumOfMagnitudes(latents) / 768;
}

describe("dpmMultistep", () => {
  it("has diffusers' published mean 0.3301 for DPM-Solver++, 0.291129 for DPM-Solver", async () => {
    expect(await mean(dpmMultistepFromConfig("dpmsolver++")(request))).toBeCloseTo(0.3301, 4);
    expect(await mean(dpmMultistepFromConfig("dpmsolver")(request))).toBeCloseTo(0.291129, 5);
  });

  it("ends at the lowest level where the noise is integrated, and refuses to be told otherwise", () => {
    const sampler = dpmMultistepFromConfig("dpmsolver")({ config: {}, steps: 4, strength: 1 });
    expect(sampler.levelAt(4).noise).toBeGreaterThan(0);
    expect(dpmMultistepFromConfig("dpmsolver++")({ config: {}, steps: 4, strength: 1 }).levelAt(4)).toEqual({
      clean: 1,
      noise: 0,
    });
    expect(() => dpmMultistep(schedule, "epsilon", { ...dpmMultistepDefaults, algorithm: "dpmsolver" })).toThrow(
      UsageError,
    );
  });

  it("refuses an order that there is not", () => {
    const of = (order: unknown) => () =>
      dpmMultistepFromConfig("dpmsolver++")({ config: { solver_order: order }, steps: 4, strength: 1 });
    expect(of(4)).toThrow("solver_order is 4, but it must be 1, 2 or 3");
    expect(of("2")).toThrow(UsageError);
  });

  it("refuses a limit of lambda, and knows that there is none", () => {
    const of = (limit: unknown) => () =>
      dpmMultistepFromConfig("dpmsolver++")({ config: { lambda_min_clipped: limit }, steps: 4, strength: 1 });
    expect(of(-5.1)).toThrow("lambda_min_clipped is -5.1");
    for (const none of [null, Number.NEGATIVE_INFINITY]) expect(of(none)).not.toThrow();
  });

  it("asks for noise at every step of an SDE", async () => {
    let drawn = 0;
    await lastStep(dpmMultistepFromConfig("sde-dpmsolver++")(request), {
      latents: goldenStart,
      predict: goldenNetwork,
      noise: () => {
        drawn++;
        return goldenStart;
      },
    });
    expect(drawn).toBe(10);
  });
});

describe("dpmSinglestep", () => {
  it("has diffusers' published mean 0.2791 for DPM-Solver++, 0.378883 for DPM-Solver", async () => {
    expect(await mean(dpmSinglestepFromConfig("dpmsolver++")(request))).toBeCloseTo(0.2791, 4);
    expect(await mean(dpmSinglestepFromConfig("dpmsolver")(request))).toBeCloseTo(0.378883, 5);
  });

  it("climbs through the orders, and ends low where asked or where no noise is left", () => {
    const orders = (order: 1 | 2 | 3, steps: number, lowerOrderFinal: boolean, finalLevel: "zero" | "lowest") =>
      singlestepOrders({ order, steps, lowerOrderFinal, finalLevel }).join("");
    expect(orders(3, 6, false, "lowest")).toBe("123123");
    expect(orders(3, 6, true, "lowest")).toBe("123121");
    expect(orders(3, 7, true, "lowest")).toBe("1231231");
    expect(orders(3, 8, true, "lowest")).toBe("12312312");
    expect(orders(3, 8, true, "zero")).toBe("12312311");
    expect(orders(2, 4, false, "zero")).toBe("1211");
    expect(orders(1, 3, false, "lowest")).toBe("111");
  });

  it("refuses to integrate the noise down to nothing", () => {
    expect(() => dpmSinglestep(schedule, "epsilon", { ...dpmDefaults, algorithm: "dpmsolver" })).toThrow(UsageError);
  });
});

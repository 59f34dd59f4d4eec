import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { guidanceScaleFromPaperOmega } from "../../diffusion/guidance.ts";
import { FormatError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { decodeSafetensors, encodeSafetensors } from "../../formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../formats/safetensors-header.ts";
import { encode } from "../../graph/encode.ts";
import { add, mul, sub } from "../../graph/ops/arithmetic.ts";
import { concat, slice } from "../../graph/ops/structure.ts";
import { input, type Value } from "../../graph/value.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import type { Runtime, Session } from "../../runtime/runtime.ts";
import { createSampler, type SamplerName } from "../../samplers/registry.ts";
import type { Sampler } from "../../samplers/sampler.ts";
import { linearCombination } from "../../tensor/arithmetic.ts";
import { counterNormal } from "../../tensor/random/counter.ts";
import { filled, float32, type Tensor } from "../../tensor/tensor.ts";
import { coefficient, coefficientTensor } from "../../training/coefficients.ts";
import type { LcdTrainingConfig } from "../../training/config/lcd.ts";
import { type ParameterLayout, parameterTensors, type TrainingState } from "../../training/engine.ts";
import { guidanceRows } from "../../training/lcd.ts";
import { TrainableParameters } from "../../training/parameters.ts";
import { fullRoles, loraRoles } from "../../training/roles.ts";
import { resultOf } from "./context.ts";
import { tokenTensor } from "./latent-batches.ts";
import { consistencyScheduler, type Described } from "./model-configs.ts";
import type { OverBase } from "./over-base.ts";

type Floats = Tensor<"float32">;

/** The file in a run's folder that holds the teacher's pictures. */
const teacherFile = "teacher.safetensors";

/** How far a student's pictures are from its teacher's. */
export interface TeacherDistance {
  /**
   * One distance for each picture of the set: the root mean square difference of the latents, 0 where they are the teacher's.
   * The averaged weights are measured where they are kept.
   */
  measure(state: TrainingState): Promise<readonly number[]>;
  dispose(): Promise<void>;
}

/**
 * Measures a student by drawing a small set, always of the same prompts and noise, in few steps of LCM, and comparing its
 * latents to what its teacher makes of them by DDIM in many steps, with guidance in the middle of the distilled range. The teacher draws once; its latents stay in the run's folder.
 *
 * It says how well the student follows the teacher, not how good the teacher is; and the noise that LCM adds between its
 * steps leaves a distance that no student closes.
 * @param layout of the run's vectors
 * @param prompts one a picture
 */
export function teacherDistance(
  config: LcdTrainingConfig,
  { model, frozen, text, shape, sources }: Pick<OverBase, "model" | "frozen" | "text" | "shape" | "sources">,
  student: Described<OverBase["model"]["unet"]["config"]>,
  layout: ParameterLayout,
  prompts: readonly string[],
  folder: string,
): TeacherDistance {
  const { measure, ddimSteps, omegaMin, omegaMax, rank, alpha, targets } = config;
  const batch = Math.min(config.batchSize, prompts.length);
  const groups = Math.ceil(prompts.length / batch);
  const latentShape = [model.unet.config.inChannels, batch, shape.size, shape.size];
  const omega = (omegaMin + omegaMax) / 2;
  const tokens = Array.from({ length: groups }, (_, group) => {
    // The graph has one batch: the last group is filled up with the first prompt, whose picture then is not counted.
    const members = Array.from({ length: batch }, (_, i) => prompts[group * batch + i] ?? prompts[0]!);
    return tokenTensor(model.tokenizer, members, shape.tokens);
  });
  const empty = tokenTensor(model.tokenizer, new Array<string>(batch).fill(""), shape.tokens);

  const runtime: Runtime = onnxRuntime();
  const trainable = new TrainableParameters();
  const roles =
    config.method === "full"
      ? fullRoles(frozen, student.config, trainable, batch)
      : loraRoles(frozen, student.config, trainable, { rank, alpha, targets, averagedTarget: false });
  const latents = input("latents", latentShape);
  const timesteps = input("timesteps", [batch]);
  const context = text(input("tokens", [batch, shape.tokens], "int64"));

  const noise = (stream: string, group: number): Floats =>
    float32(
      latentShape,
      counterNormal(
        measure.seed,
        stream,
        group,
        latentShape.reduce((a, b) => a * b, 1),
      ),
    );
  const draw = async (
    sampler: Sampler,
    group: number,
    predict: (latents: Floats, timestep: number) => Promise<Floats>,
  ): Promise<Floats> => {
    let drawn = 0;
    let result = linearCombination([[sampler.initNoiseSigma, noise("measure.start", group)]]);
    const given = { latents: result, predict, noise: () => noise(`measure.step.${drawn++}`, group) };
    for await (const step of sampler.sample(given)) result = step.latents;
    return result;
  };
  const sampler = (name: SamplerName, scheduler: typeof model.scheduler, steps: number): Sampler =>
    createSampler(name, { config: scheduler, steps, strength: 1 });
  const ask = async (session: Session, feeds: Record<string, Tensor>, x: Floats, t: number): Promise<Floats> =>
    (await session.run({ ...feeds, latents: x, timesteps: filled([batch], t) }))["output"] as Floats;

  /** The teacher's latents, a group each. */
  async function drawTeacher(): Promise<Floats[]> {
    const twice = (x: Value, axis: number): Value => concat([x, x], axis);
    const nothing = text(input("emptyTokens", [batch, shape.tokens], "int64"));
    const outputs = roles.teacher(twice(latents, 1), twice(timesteps, 0), concat([context, nothing], 0));
    const unconditional = slice(outputs, 1, batch, 2 * batch);
    const change = sub(slice(outputs, 1, 0, batch), unconditional);
    const output = add(unconditional, mul(change, coefficient("guidanceScale", batch)));
    const session = await runtime.compile(encode({ output }));
    const scale = coefficientTensor(new Array<number>(batch).fill(guidanceScaleFromPaperOmega(omega)));
    const results: Floats[] = [];
    try {
      for (const [group, captions] of tokens.entries()) {
        const feeds = { tokens: captions, emptyTokens: empty, guidanceScale: scale };
        const ddim = sampler("ddim", model.scheduler, measure.teacherSteps);
        results.push(await draw(ddim, group, (x, t) => ask(session, feeds, x, t)));
      }
    } finally {
      await session.dispose();
    }
    return results;
  }

  const key = createHash("sha256")
    .update(JSON.stringify([sources, prompts, batch, measure.seed, measure.teacherSteps, omega, latentShape]))
    .digest("hex");
  let teacher: Promise<readonly Floats[]> | undefined;
  let session: Promise<Session> | undefined;

  return {
    async measure(state) {
      teacher ??= keptOrDrawn(join(folder, teacherFile), key, groups, drawTeacher);
      const references = await teacher;
      session ??= runtime.compile(encode({ output: roles.student(latents, timesteps, context) }));
      const compiled = await session;
      const weights = Object.fromEntries(parameterTensors(layout, resultOf(state)));
      const guided =
        student.config.guidanceWidth === undefined
          ? {}
          : { guidance: guidanceRows(new Array<number>(batch).fill(omega), student.config.guidanceWidth) };
      const distances: number[] = [];
      for (const [group, captions] of tokens.entries()) {
        const lcm = sampler("lcm", consistencyScheduler(model.scheduler, ddimSteps), measure.steps);
        const feeds = { ...weights, ...guided, tokens: captions };
        const drawn = await draw(lcm, group, (x, t) => ask(compiled, feeds, x, t));
        distances.push(...differences(drawn, references[group]!));
      }
      return distances.slice(0, prompts.length);
    },
    dispose: () => runtime.dispose(),
  };
}

/** Root mean square difference of each picture of maps `[channels, n, h, w]`. */
function differences(a: Floats, b: Floats): number[] {
  const [channels, n, height, width] = a.shape as [number, number, number, number];
  const positions = height * width;
  return Array.from({ length: n }, (_, i) => {
    let squares = 0;
    for (let c = 0; c < channels; c++) {
      const from = (c * n + i) * positions;
      for (let p = from; p < from + positions; p++) squares += (a.data[p]! - b.data[p]!) ** 2;
    }
    return Math.sqrt(squares / (channels * positions));
  });
}

/** Latents from a file that was written with the same key, or drawn and written. */
async function keptOrDrawn(
  path: string,
  key: string,
  groups: number,
  draw: () => Promise<Floats[]>,
): Promise<readonly Floats[]> {
  const known = await readKept(path, key, groups).catch((error: unknown) => {
    if (error instanceof FormatError) return undefined;
    throw error;
  });
  if (known !== undefined) return known;
  const drawn = await draw();
  const tensors = Object.fromEntries(drawn.map((tensor, group) => [`latents.${group}`, tensor]));
  await writeFileAtomically(path, encodeSafetensors(tensors, { key }));
  return drawn;
}

async function readKept(path: string, key: string, groups: number): Promise<readonly Floats[] | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined) return undefined;
  if (parseSafetensorsHeader(bytes, bytes.length, path).metadata.get("key") !== key) return undefined;
  const tensors = decodeSafetensors(bytes, path);
  const found = Array.from({ length: groups }, (_, group) => tensors.get(`latents.${group}`));
  return found.every((tensor): tensor is Floats => tensor?.type === "float32") ? found : undefined;
}

import { samplerNamed } from "../../samplers/names.ts";
import { Problem } from "../problem.ts";
import type { ImageWishes, OptionWishes, TextWishes } from "../schemas/a1111.ts";
import { type DrawRequest, drawRequestSchema } from "../schemas/draw-request.ts";

/** A1111's ways to fit a picture, by number; the last is for its own upscaler. */
const fits = ["stretch", "crop", "fill"] as const;

/** A drawing as this server's own API would be asked for it. @throws Problem `invalid` for what it cannot do */
export function textRequest(wishes: TextWishes, session: OptionWishes): DrawRequest {
  refuseUnknown(wishes);
  const options = { ...session, ...told(wishes.override_settings ?? {}) };
  const { width, height } = wishes;
  if ((width === undefined) !== (height === undefined)) {
    throw new Problem("invalid", "Width and height go together; give both or neither.", { field: "width" });
  }
  return drawRequestSchema.parse({
    prompt: wishes.prompt,
    negative: wishes.negative_prompt,
    count: (wishes.batch_size ?? 1) * (wishes.n_iter ?? 1),
    previews: options.live_previews_enable ?? false,
    ...told({
      model: modelName(options.sd_model_checkpoint),
      clipSkip: options.CLIP_stop_at_last_layers,
      seed: wishes.seed,
      sampler: samplerOf(wishes),
      steps: wishes.steps,
      guidance: wishes.cfg_scale,
      size: width === undefined ? undefined : { width, height },
    }),
  });
}

/** The same for a picture to begin with. */
export function imageRequest(wishes: ImageWishes, session: OptionWishes): DrawRequest {
  const { init_images: images, denoising_strength: strength, resize_mode: mode, mask, mask_blur: maskBlur } = wishes;
  const fit = mode === undefined ? undefined : fits[mode];
  if (mode !== undefined && fit === undefined) {
    throw new Problem("invalid", "Latent upscaling (resize_mode 3) is not known here; use 0, 1 or 2.", {
      field: "resize_mode",
    });
  }
  return drawRequestSchema.parse({
    ...textRequest(wishes, session),
    init: images[0],
    // A1111's own, which its users expect.
    strength: strength ?? 0.75,
    ...told({ fit, mask, maskBlur: mask === undefined ? undefined : maskBlur }),
  });
}

/** A sampler, with the spread of noise levels that newer clients name apart, as in `DPM++ 2M` and `Karras`. */
function samplerOf({ sampler_name: name, sampler_index: index, scheduler }: TextWishes): string | undefined {
  const sampler = name ?? index;
  if (sampler === undefined) return undefined;
  const whole =
    scheduler === undefined || /^(automatic|normal)$/i.test(scheduler) ? sampler : `${sampler} ${scheduler}`;
  if (samplerNamed(whole) !== undefined) return whole;
  const field = samplerNamed(sampler) === undefined ? "sampler_name" : "scheduler";
  throw new Problem("invalid", `There is no sampler "${whole}" here; /sdapi/v1/samplers names those that are.`, {
    field,
  });
}

/** What would change the picture and is not known here. */
function refuseUnknown(wishes: TextWishes): void {
  const scripts = Object.entries(wishes.alwayson_scripts ?? {}).filter(([, script]) => argumentsOf(script) > 0);
  const unknown: readonly (readonly [field: string, asked: boolean])[] = [
    ["enable_hr", wishes.enable_hr === true],
    ["restore_faces", wishes.restore_faces === true],
    ["tiling", wishes.tiling === true],
    ["subseed_strength", (wishes.subseed_strength ?? 0) !== 0],
    ["script_name", (wishes.script_name ?? "") !== ""],
    ["styles", (wishes.styles ?? []).length > 0],
    [`alwayson_scripts.${scripts[0]?.[0]}`, scripts.length > 0],
  ];
  const asked = unknown.find(([, is]) => is);
  if (asked !== undefined)
    throw new Problem("invalid", `"${asked[0]}" is not known here; leave it out.`, { field: asked[0] });
}

function argumentsOf(script: unknown): number {
  const args = typeof script === "object" && script !== null && "args" in script ? script.args : undefined;
  return Array.isArray(args) ? args.length : 0;
}

/** A title as `/sd-models` gives it, or what users write of it. */
function modelName(title: string | undefined): string | undefined {
  const name = title?.replace(/\s*\[[0-9a-f]+\]$/i, "").replace(/\.(safetensors|ckpt)$/i, "");
  return name === "" ? undefined : name;
}

function told<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

import type { LevelSpacing } from "../diffusion/level-spacing.ts";
import { configChoice, type SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { dpmMultistepNames } from "./dpm-multistep.ts";
import { dpmSinglestepNames } from "./dpm-singlestep.ts";
import type { SamplerChoices } from "./request.ts";

/** What Fourstep calls the samplers, with what other image programs (A1111) call them, or else their papers. */
export const samplerTitles = {
  lcm: "LCM",
  ddim: "DDIM",
  euler: "Euler",
  "euler-ancestral": "Euler a",
  heun: "Heun",
  "dpm-solver": "DPM-Solver",
  "dpm-solver++": "DPM++ 2M",
  "dpm-solver-sde": "DPM-Solver SDE",
  "dpm-solver++-sde": "DPM++ 2M SDE",
  "dpm-solver-single": "DPM-Solver single-step",
  "dpm-solver++-single": "DPM++ 2S",
  "dpm-solver-sde-single": "DPM-Solver SDE single-step",
  "dpm-solver++-sde-single": "DPM++ SDE",
  "dpm-solver-12": "DPM-Solver-12",
  "dpm-solver-23": "DPM adaptive",
  unipc: "UniPC",
  pndm: "PLMS",
  tcd: "TCD",
  ddpm: "DDPM",
} as const;

/** What users write. */
export type SamplerName = keyof typeof samplerTitles;

/** Every sampler's name. */
export const samplerNames: readonly SamplerName[] = Object.keys(samplerTitles) as SamplerName[];

/** Whether a word is a sampler's own name. */
export function isSamplerName(name: string): name is SamplerName {
  return Object.hasOwn(samplerTitles, name);
}

/** A sampler as a name means it. */
export interface NamedSampler {
  readonly name: SamplerName;
  readonly choices: SamplerChoices;
}

/** Further names of A1111, ComfyUI and diffusers; in small letters, without spaces, hyphens and underscores. */
const aliases: Readonly<Record<string, readonly [name: SamplerName, choices?: SamplerChoices]>> = {
  "dpm++2mheun": ["dpm-solver++", { solver: "heun" }],
  "dpm++2msdeheun": ["dpm-solver++-sde", { solver: "heun" }],
  "dpm++3m": ["dpm-solver++", { order: 3 }],
  "dpm++3msde": ["dpm-solver++-sde", { order: 3, solver: "heun", sdeCurvature: "integral" }],
  dpmpp2m: ["dpm-solver++"],
  dpmpp2msde: ["dpm-solver++-sde"],
  dpmpp3msde: ["dpm-solver++-sde", { order: 3, solver: "heun", sdeCurvature: "integral" }],
  dpmppsde: ["dpm-solver++-sde-single"],
  unipcbh1: ["unipc", { solver: "bh1" }],
  unipcbh2: ["unipc", { solver: "bh2" }],
  sdedpmsolver: ["dpm-solver-sde"],
  "sdedpmsolver++": ["dpm-solver++-sde"],
};

/** The classes that diffusers has for the samplers. */
const classes: Readonly<Record<string, SamplerName>> = {
  LCMScheduler: "lcm",
  DDIMScheduler: "ddim",
  EulerDiscreteScheduler: "euler",
  EulerAncestralDiscreteScheduler: "euler-ancestral",
  HeunDiscreteScheduler: "heun",
  DPMSolverMultistepScheduler: "dpm-solver++",
  DPMSolverSinglestepScheduler: "dpm-solver++-single",
  DPMSolverSDEScheduler: "dpm-solver++-sde-single",
  UniPCMultistepScheduler: "unipc",
  PNDMScheduler: "pndm",
  TCDScheduler: "tcd",
  DDPMScheduler: "ddpm",
};

/** How the spread of noise levels, or of timesteps, is added to a sampler's name. */
const endings: Readonly<Record<string, SamplerChoices>> = {
  karras: { levels: "karras" },
  exponential: { levels: "exponential" },
  lu: { levels: "lu" },
  beta: { levels: "beta" },
  sgmuniform: { spacing: "trailing" },
} satisfies Readonly<Record<string, { readonly levels?: LevelSpacing; readonly spacing?: "trailing" }>>;

/** The sampler of its own name, or of the name that A1111, ComfyUI or diffusers has for it, such as "DPM++ 2M Karras". */
export function samplerNamed(word: string): NamedSampler | undefined {
  const ofClass = Object.hasOwn(classes, word) ? classes[word] : undefined;
  if (ofClass !== undefined) return { name: ofClass, choices: {} };
  const plain = normalised(word);
  const direct = withoutEnding(plain);
  if (direct !== undefined) return direct;
  for (const [ending, choices] of Object.entries(endings)) {
    const named = plain.endsWith(ending) ? withoutEnding(plain.slice(0, -ending.length)) : undefined;
    if (named !== undefined) return { name: named.name, choices: { ...named.choices, ...choices } };
  }
  return undefined;
}

function withoutEnding(plain: string): NamedSampler | undefined {
  const own = samplerNames.find((name) => normalised(name) === plain || normalised(samplerTitles[name]) === plain);
  if (own !== undefined) return { name: own, choices: {} };
  const alias = Object.hasOwn(aliases, plain) ? aliases[plain] : undefined;
  return alias === undefined ? undefined : { name: alias[0], choices: alias[1] ?? {} };
}

function normalised(word: string): string {
  return word.toLowerCase().replaceAll(/[\s_-]/g, "");
}

/**
 * The sampler that a scheduler configuration was written for, by its `_class_name` (and, for DPM-Solver, its
 * `algorithm_type`); undefined for a class that has none here.
 * @throws UsageError when the algorithm is unknown
 */
export function samplerOfConfig(config: SchedulerConfig): SamplerName | undefined {
  const { _class_name: written } = config;
  const name = typeof written === "string" && Object.hasOwn(classes, written) ? classes[written] : undefined;
  // Other solvers' algorithms read as diffusers reads them.
  const algorithm = (): keyof typeof dpmMultistepNames => {
    const types = ["dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver", "deis"] as const;
    const type = configChoice(config, "algorithm_type", types, "dpmsolver++");
    return type === "deis" ? "dpmsolver++" : type;
  };
  if (name === "dpm-solver++") return dpmMultistepNames[algorithm()];
  if (name === "dpm-solver++-single") return dpmSinglestepNames[algorithm()];
  return name;
}

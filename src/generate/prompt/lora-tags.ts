/** A LoRA that a prompt asks for, as `<lora:name:0.8>`. */
export interface LoraTag {
  /** The tag as it stands. */
  readonly written: string;
  /** `lora`, or `lyco` of an older extension. */
  readonly kind: "lora" | "lyco";
  readonly name: string;
  /** What follows the name, split at the colons. */
  readonly items: readonly string[];
}

/** A prompt and what its tags ask for. */
export interface TaggedPrompt {
  /** The prompt without them. */
  readonly text: string;
  readonly loras: readonly LoraTag[];
  /** Tags of other networks, which are left out. */
  readonly others: readonly string[];
}

/**
 * Takes the tags of networks out of a prompt, as AUTOMATIC1111's web interface does; they belong to every syntax.
 *
 * Only the tags go: commas and spaces around them stay.
 */
export function parseLoraTags(prompt: string): TaggedPrompt {
  const loras: LoraTag[] = [];
  const others: string[] = [];
  const text = prompt.replace(/<(lora|lyco|hypernet):([^<>]+)>/g, (written: string, kind: string, inside: string) => {
    const [name = "", ...items] = inside.split(":");
    if (kind === "lora" || kind === "lyco") loras.push({ written, kind, name: name.trim(), items });
    else others.push(written);
    return "";
  });
  return { text, loras, others };
}

/** The tag of a LoRA by its name and what is said of its strength; colons and the like cannot be in a name. */
export function writeLoraTag(name: string, strength: string): string {
  return `<lora:${tagName(name)}:${strength}>`;
}

/** A name as it can stand in a tag and among the settings of a picture. */
export function tagName(name: string): string {
  return name.replace(/[:,<>]/g, "");
}

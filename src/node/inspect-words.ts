/** Tags that are told of those that captions were made of. */
const mostTags = 10;

/** Metadata in which authors write the words by hand. */
const phraseFields = ["modelspec.trigger_phrase", "modelspec.trigger_word", "ss_trigger_words"] as const;

/**
 * The words that a LoRA was trained on, as its metadata say: what its author wrote, else the commonest tags of its captions
 * (sd-scripts), else what its folders of pictures are called; and the words that it brings learned embeddings for
 * (cloneofsimo). Metadata that cannot be read say nothing.
 */
export function trainedWords(metadata: ReadonlyMap<string, string>): readonly string[] {
  const embeddings = [...metadata].filter(([, value]) => value === "<embed>").map(([word]) => word);
  const told = [writtenWords(metadata), commonTags(metadata), folderNames(metadata)].find((words) => words.length > 0);
  return [...new Set([...embeddings, ...(told ?? [])])];
}

function writtenWords(metadata: ReadonlyMap<string, string>): string[] {
  return phraseFields.flatMap((field) =>
    (metadata.get(field) ?? "")
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== ""),
  );
}

/** `ss_tag_frequency`: of each folder of pictures, how often each tag occurs. */
function commonTags(metadata: ReadonlyMap<string, string>): string[] {
  const counts = new Map<string, number>();
  for (const [, tags] of entriesOf(metadata.get("ss_tag_frequency"))) {
    for (const [tag, count] of entriesOfValue(tags)) {
      const word = tag.trim();
      if (typeof count === "number" && word !== "") counts.set(word, (counts.get(word) ?? 0) + count);
    }
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, mostTags)
    .map(([word]) => word);
}

/** `ss_dataset_dirs`: folders are called by how often they are repeated and by the words, such as `10_sks dog`. */
function folderNames(metadata: ReadonlyMap<string, string>): string[] {
  return entriesOf(metadata.get("ss_dataset_dirs"))
    .map(([folder]) => folder.replace(/^\d+_/, "").trim())
    .filter((word) => word !== "");
}

function entriesOf(text: string | undefined): [string, unknown][] {
  if (text === undefined) return [];
  try {
    return entriesOfValue(JSON.parse(text));
  } catch {
    return [];
  }
}

const entriesOfValue = (value: unknown): [string, unknown][] =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];

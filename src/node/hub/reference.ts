/** A model or a file on a model hub: `owner/name`, `owner/name/folder/file.safetensors`, either with `@revision`. */
export interface HubReference {
  /** `owner/name`. */
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** A file of the repository, with forward slashes; undefined for the model as a whole. */
  readonly file: string | undefined;
}

/** The branch that a hub gives when none is named. */
export const defaultRevision = "main";

const pattern = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)((?:\/[\w.+ -]+)*)(?:@([\w][\w./-]*))?$/;

/** Reads a reference to a hub; undefined for a text that cannot be one, such as an absolute path. */
export function parseHubReference(text: string): HubReference | undefined {
  const [, repo, path = "", revision = defaultRevision] = pattern.exec(text) ?? [];
  if (repo === undefined || text.includes("..") || repo.includes("--")) return undefined;
  return { repo, revision, file: path === "" ? undefined : path.slice(1) };
}

/** A commit needs no question which one is meant. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

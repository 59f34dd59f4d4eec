import { type FileHandle, mkdtemp, open, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, parse, relative, sep } from "node:path";
import type { FactorStore, ModelPlace } from "../generate/model.ts";

/** Where a model's files lie for the runtime; disposing it removes what was stored. */
export type OwnedPlace = ModelPlace & AsyncDisposable;

/** Adapters' factors beyond this are stored in a file: memory would hold them twice, in the runtime and outside of it. */
const mostInMemory = 2 ** 28;

/**
 * The place of a folder's files, links followed: the runtime reads no file that lies outside of the folder it is given, and a
 * hub's cache has nothing but links. So it is given the root of the file system.
 * @param folder of the model
 * @param limit bytes of adapters' factors that stay in memory
 */
export async function modelPlace(folder: string, limit: number = mostInMemory): Promise<OwnedPlace> {
  const real = await realpath(folder);
  const { root } = parse(real);
  const fromRoot = (path: string): string => relative(root, path).split(sep).join("/");
  const scratch = await realpath(tmpdir());
  const stored = parse(scratch).root === root ? temporaryStore(scratch, fromRoot, limit) : undefined;
  return {
    folder: root,
    locate: async (file) => fromRoot(await realpath(join(real, file))),
    ...(stored === undefined ? {} : { store: stored.store }),
    [Symbol.asyncDispose]: async () => stored?.remove(),
  };
}

/** A file in the folder for temporary files, made when the first weight comes. */
function temporaryStore(
  scratch: string,
  fromRoot: (path: string) => string,
  limit: number,
): { readonly store: FactorStore; remove(): Promise<void> } {
  let opened: Promise<{ readonly folder: string; readonly path: string; readonly handle: FileHandle }> | undefined;
  let end = 0;
  const begin = async () => {
    const folder = await mkdtemp(join(scratch, "fourstep-"));
    const path = join(folder, "factors.bin");
    return { folder, path, handle: await open(path, "wx", 0o600) };
  };
  return {
    store: {
      mostInMemory: limit,
      async keep({ data }) {
        opened ??= begin();
        const { path, handle } = await opened;
        const offset = end;
        end += data.byteLength;
        for (let done = 0; done < data.byteLength; ) {
          const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset + done, data.byteLength - done);
          done += (await handle.write(bytes, 0, Math.min(bytes.length, 2 ** 30), offset + done)).bytesWritten;
        }
        return { file: fromRoot(path), offset, length: data.byteLength };
      },
    },
    async remove() {
      if (opened === undefined) return;
      const { folder, handle } = await opened;
      opened = undefined;
      await handle.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

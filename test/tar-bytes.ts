/** A member of a tar archive made for a test. */
export interface TestMember {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** The header's type flag; "0", a plain file, unless told. */
  readonly kind?: string;
  /** The header's prefix field (ustar). */
  readonly prefix?: string;
}

/** A ustar archive of these members, ended by two blocks of zeros. */
export function tarBytes(members: readonly TestMember[]): Uint8Array<ArrayBuffer> {
  const blocks = members.flatMap(({ name, content, kind, prefix }) => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write("0000644\0", 100);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        ", 148);
    header.write(kind ?? "0", 156);
    header.write("ustar\x0000", 257, "latin1");
    header.write(prefix ?? "", 345, 155);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

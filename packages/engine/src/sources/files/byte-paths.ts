/**
 * File names are bytes. Inside this source a path is a string with one character per byte (latin1): it compares in
 * byte order, costs one byte per character, and turns into the exact bytes again for every file call.
 */
export type BytePath = string;

export function toBytePath(bytes: Uint8Array): BytePath {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export function fromText(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function toBytes(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the question is exactly whether all bytes are ASCII.
const ASCII = /^[\x00-\x7f]*$/;

/** True when the bytes are ASCII: then the path is the same as text. */
export function isAsciiText(path: BytePath): boolean {
  return ASCII.test(path);
}

/** The path for a file call: text where that means the same bytes, which saves making and checking a buffer. */
export function toPath(path: BytePath): string | Buffer {
  return isAsciiText(path) ? path : toBytes(path);
}

/** The path as text when its bytes are UTF-8, otherwise null. */
export function toText(path: BytePath): string | null {
  if (isAsciiText(path)) return path;
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return Buffer.from(text, 'utf8').toString('latin1') === path ? text : null;
}

export function joinPath(folder: BytePath, name: BytePath): BytePath {
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

export function parentPath(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export function lastName(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** True when `path` is `folder` or lies below it. */
export function isWithin(path: BytePath, folder: BytePath): boolean {
  if (folder === '/' || path === folder) return true;
  return path.length > folder.length && path.charCodeAt(folder.length) === 0x2f && path.startsWith(folder);
}

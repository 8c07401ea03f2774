/**
 * Extended attributes through an optional native module; without it files simply have none. POSIX ACLs come along as
 * `system.posix_acl_access` and `system.posix_acl_default`. The module takes text paths only and never follows links.
 */
import { createRequire } from 'node:module';
import { toText } from './byte-paths.ts';

interface XattrModule {
  listAttributesSync(path: string): string[];
  getAttributeSync(path: string, name: string): Uint8Array | null;
  setAttributeSync(path: string, name: string, value: Uint8Array): void;
}

function loadModule(): XattrModule | null {
  try {
    return createRequire(import.meta.url)('@napi-rs/xattr') as XattrModule;
  } catch {
    return null;
  }
}

const native = loadModule();

/** The module wraps the errno in its message. */
function isUnsupported(error: unknown): boolean {
  return /os error (95|45|1|22)\)/.test(String(error));
}

export interface XattrReader {
  /** Attributes of one item, null when it has none. Throws when they are there but cannot be read. */
  read(path: string, device: bigint): ReadonlyMap<string, Uint8Array> | null;
  /** Items that could not be asked because their name is not UTF-8. */
  readonly unaskedCount: number;
}

/** A reader that remembers which file systems have no extended attributes. */
export function createXattrReader(): XattrReader {
  const without = new Set<bigint>();
  let unaskedCount = 0;
  return {
    read(bytePath, device) {
      if (!native || without.has(device)) return null;
      const path = toText(bytePath);
      if (path === null) {
        unaskedCount += 1;
        return null;
      }
      try {
        return readAll(native, path);
      } catch (error) {
        if (!isUnsupported(error)) throw error;
        without.add(device);
        return null;
      }
    },
    get unaskedCount() {
      return unaskedCount;
    },
  };
}

function readAll(module: XattrModule, path: string): Map<string, Uint8Array> | null {
  const names = module.listAttributesSync(path);
  if (names.length === 0) return null;
  const found = new Map<string, Uint8Array>();
  for (const name of names) {
    const value = module.getAttributeSync(path, name);
    if (value) found.set(name, Uint8Array.from(value));
  }
  return found.size > 0 ? found : null;
}

/** Sets attributes on one item; answers one sentence per attribute that did not take. */
export function writeXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): string[] {
  if (!native) return [`extended attributes are not supported here: ${[...xattrs.keys()].join(', ')}`];
  const failures: string[] = [];
  for (const [name, value] of xattrs) {
    try {
      native.setAttributeSync(path, name, value);
    } catch (error) {
      failures.push(`attribute ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures;
}

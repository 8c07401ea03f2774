/**
 * Extended attributes through an optional native module; without it files simply have none. POSIX ACLs come along as
 * `system.posix_acl_access` and `system.posix_acl_default`. The module takes text paths only and never follows links.
 */
import { createRequire } from 'node:module';
import { toText } from './byte-paths.ts';

/** What the native module can do. */
export interface XattrModule {
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

/** No extended attributes on this file system, or not this one (ENOTSUP of Linux and macOS). The module wraps the errno in its message. */
function isUnsupported(error: unknown): boolean {
  return /os error (95|45)\)/.test(String(error));
}

/** Items of this kind have none (EPERM, EINVAL), others in the same file system may. */
function isRefused(error: unknown): boolean {
  return /os error (1|22)\)/.test(String(error));
}

/** What the module says went wrong. The code it gives is the same for everything. */
export const xattrReason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export interface XattrReader {
  /** Attributes of one item that can be read, null when it has none. Throws when they cannot be listed. */
  read(path: string, device: bigint): ReadonlyMap<string, Uint8Array> | null;
  /** Items that could not be asked because their name is not UTF-8. */
  readonly unaskedCount: number;
  /** Attributes that were listed and have no value: removed meanwhile, or the module does not say why. */
  readonly unreadCount: number;
}

/** Told of an attribute that is there and is refused; the others of the item are read nevertheless. */
type OnRefused = (refused: { readonly path: string; readonly name: string; readonly reason: string }) => void;

/** A reader that remembers which file systems have no extended attributes. */
export function createXattrReader(onRefused: OnRefused, module: XattrModule | null = native): XattrReader {
  const without = new Set<bigint>();
  let [unaskedCount, unreadCount] = [0, 0];
  const readOne = (asked: XattrModule, path: string, name: string): Uint8Array | null => {
    try {
      const value = asked.getAttributeSync(path, name);
      if (!value) unreadCount += 1;
      return value;
    } catch (error) {
      // Listed, and readable by nobody: there is nothing to be done about it.
      if (!isUnsupported(error)) onRefused({ path, name, reason: xattrReason(error) });
      return null;
    }
  };
  const namesOf = (path: string, device: bigint): string[] => {
    try {
      return module?.listAttributesSync(path) ?? [];
    } catch (error) {
      if (isUnsupported(error)) without.add(device);
      else if (!isRefused(error)) throw error;
      return [];
    }
  };
  return {
    read(bytePath, device) {
      if (!module || without.has(device)) return null;
      const path = toText(bytePath);
      if (path === null) {
        unaskedCount += 1;
        return null;
      }
      const names = namesOf(path, device);
      const found = new Map<string, Uint8Array>();
      for (const name of names) {
        const value = readOne(module, path, name);
        if (value) found.set(name, Uint8Array.from(value));
      }
      return found.size > 0 ? found : null;
    },
    get unaskedCount() {
      return unaskedCount;
    },
    get unreadCount() {
      return unreadCount;
    },
  };
}

/** Sets attributes on one item; answers one sentence per attribute that did not take. */
export function writeXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): string[] {
  if (!native) return [`extended attributes are not supported here: ${[...xattrs.keys()].join(', ')}`];
  const failures: string[] = [];
  for (const [name, value] of xattrs) {
    try {
      native.setAttributeSync(path, name, value);
    } catch (error) {
      failures.push(`attribute ${name}: ${xattrReason(error)}`);
    }
  }
  return failures;
}

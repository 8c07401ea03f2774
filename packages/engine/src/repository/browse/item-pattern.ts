import picomatch from 'picomatch';

/** What is looked for by `findItems`. Paths are display paths. */
export interface ItemPattern {
  matches(name: string, folder: string): boolean;
  /** False: nothing below this folder can match. */
  reaches(folder: string): boolean;
}

/** Extended globs can be written so that they take for ever; nobody needs them for names. */
const OPTIONS = { dot: true, nonegate: true, noextglob: true, windows: false } as const;

/**
 * A glob on the name (`*.conf`), or on the whole path when it holds a slash: from the top when it begins with one
 * (`/etc/**`), at any depth otherwise (`nginx/*.conf`). Case-insensitive unless the pattern has a capital. A pattern
 * that is a name or a path letter by letter matches that, whatever signs are in it.
 */
export function parseItemPattern(pattern: string): ItemPattern {
  const nocase = pattern === pattern.toLowerCase();
  const fold = (text: string) => (nocase ? text.toLowerCase() : text);
  if (!pattern.includes('/')) {
    const isMatch = compile(pattern, nocase);
    return { matches: (name) => fold(name) === pattern || isMatch(name), reaches: () => true };
  }
  const isAnchored = pattern.startsWith('/');
  const path = trimSlashes(pattern);
  const isMatch = compile(isAnchored ? path : `**/${path}`, nocase);
  const reach = isAnchored ? reachOf(path) : null;
  const isLiteral = (text: string) => fold(text) === `/${path}`;
  return {
    matches: (name, folder) => isLiteral(`${folder}/${name}`) || isMatch(`${folder}/${name}`.slice(1)),
    reaches: (folder) => !reach || reach(fold(folder)),
  };
}

function compile(pattern: string, nocase: boolean): (text: string) => boolean {
  return picomatch(pattern, { ...OPTIONS, nocase });
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, '');
}

/** Follows the segments up to the first with a glob sign, and no deeper than the pattern unless it has `**`. */
function reachOf(path: string): (folder: string) => boolean {
  const segments = path.split('/');
  const isBottomless = path.includes('**') || /[{}]/.test(path);
  const firstGlob = segments.findIndex((segment) => /[*?[\]{}()!\\+@]/.test(segment));
  const fixed = firstGlob < 0 ? segments : segments.slice(0, firstGlob);
  return (folder) => {
    const parts = folder.split('/').slice(1);
    if (!isBottomless && parts.length >= segments.length) return false;
    return parts.every((part, index) => index >= fixed.length || part === fixed[index]);
  };
}

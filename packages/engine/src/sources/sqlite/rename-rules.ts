import { AppError } from '@backupx/contracts/errors';

/**
 * Lines `old=new` of absolute paths of files or folders. Paths may hold `=` themselves, so a line is cut at any `=/`
 * whose left side fits the path that is asked for.
 */
export class RenameRules {
  readonly #lines: readonly string[];
  readonly #used = new Set<string>();

  /** Throws VALIDATION_FAILED for a line that is none. */
  constructor(lines: readonly string[]) {
    this.#lines = lines.map((line) => line.trim()).filter((line) => line !== '');
    const wrong = this.#lines.find((line) => !/^\/.*=\//.test(line) || line.split('/').includes('..'));
    if (wrong === undefined) return;
    throw new AppError('RESTORE_TARGET_INVALID', { path: wrong, reason: 'it is not of the form /old/path=/new/path' });
  }

  /** The new path of a file, or null when no line is about it. */
  apply(path: string): string | null {
    for (const line of this.#lines) {
      for (let cut = line.indexOf('=/'); cut >= 0; cut = line.indexOf('=/', cut + 1)) {
        const old = line.slice(0, cut).replace(/\/+$/, '');
        if (path !== old && !path.startsWith(`${old}/`)) continue;
        this.#used.add(line);
        return line.slice(cut + 1).replace(/\/+$/, '') + path.slice(old.length);
      }
    }
    return null;
  }

  /** Lines that fitted nothing. */
  unused(): string[] {
    return this.#lines.filter((line) => !this.#used.has(line));
  }
}

/** Programs of databases that do not do quite what they are asked to: scripts in a folder, which start the real ones. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface WrappedPrograms {
  /** Real programs by name, which are in the folder as they are. */
  readonly real: Readonly<Record<string, string>>;
  /** What the shell does instead when one is called for anything but its version; `"$real" "$@"` would be the call itself. */
  readonly scripts: Readonly<Record<string, string>>;
}

/** Answers the folder, as an administrator would name one. */
export function wrapPrograms(folder: string, { real, scripts }: WrappedPrograms): string {
  mkdirSync(folder, { recursive: true });
  for (const [name, program] of Object.entries(real)) {
    const script = scripts[name];
    if (script === undefined) symlinkSync(program, path.join(folder, name));
    else {
      const text = `#!/bin/sh\nreal='${program}'\ncase "$*" in *--version*) exec "$real" "$@";; esac\n${script}\n`;
      writeFileSync(path.join(folder, name), text, { mode: 0o755 });
    }
  }
  return folder;
}

/** Part of a script: puts `replacement` in the place of the argument `argument`. */
export const replacing = (argument: string, replacement: string): string =>
  `for one; do shift; [ "$one" = '${argument}' ] && one='${replacement}'; set -- "$@" "$one"; done`;

/** All of a program's output but its last bytes, and no word of it. */
export const withoutLast = (bytes: number): string => `"$real" "$@" | head -c -${bytes}`;

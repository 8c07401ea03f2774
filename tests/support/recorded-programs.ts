/** Programs of databases that write down how they are called before they begin: what others on the machine could see of them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

interface RecordedPrograms {
  /** To be named as the folder of the programs. */
  readonly folder: string;
  /** Names of those that were called, each once, in order. */
  called(): string[];
  /** Command lines and environments of all calls, a word or variable a line. */
  text(): string;
}

/** Of these programs of PATH, or of `from`, in a new folder. */
export function recordPrograms(folder: string, names: readonly string[], from?: string): RecordedPrograms {
  const calls = path.join(folder, 'calls');
  mkdirSync(calls, { recursive: true });
  // A server may be started as another user.
  chmodSync(calls, 0o777);
  for (const name of names) {
    const real = from ? path.join(from, name) : execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    const script = `#!/bin/sh
tr '\\0' '\\n' </proc/$$/cmdline >>'${calls}/${name}.'$$
tr '\\0' '\\n' </proc/$$/environ >>'${calls}/${name}.'$$
exec '${real.trim()}' "$@"
`;
    writeFileSync(path.join(folder, name), script, { mode: 0o755 });
  }
  return {
    folder,
    called: () => [...new Set(readdirSync(calls).map((file) => file.replace(/\.\d+$/, '')))].sort(),
    text: () =>
      readdirSync(calls)
        .map((file) => readFileSync(path.join(calls, file), 'utf8'))
        .join('\n'),
  };
}

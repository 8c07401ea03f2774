/** Reads the import statements of the project's files and resolves those that stay inside the repository. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';

export interface FileImport {
  readonly from: string;
  /** Path inside the repository, or the bare name of an outside package (`zod`, `node:fs`). */
  readonly to: string;
  readonly isInternal: boolean;
  readonly isTypeOnly: boolean;
  /** `import('…')` at run time. */
  readonly isDynamic: boolean;
}

const workspaceFolders: Readonly<Record<string, string>> = {
  contracts: 'packages/contracts',
  engine: 'packages/engine',
  server: 'apps/server',
  agent: 'apps/agent',
  cli: 'apps/cli',
  web: 'apps/web',
};

/** Every import of one file, static, re-exporting and dynamic (with a literal name). */
export function readImports(root: string, file: string): FileImport[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const { module } = parseSync(file, text);
  const found: { specifier: string; isTypeOnly: boolean; isDynamic: boolean }[] = [];
  for (const item of module.staticImports) {
    const isTypeOnly = item.entries.length > 0 && item.entries.every((entry) => entry.isType);
    found.push({ specifier: item.moduleRequest.value, isTypeOnly, isDynamic: false });
  }
  for (const item of module.staticExports) {
    for (const entry of item.entries) {
      if (entry.moduleRequest)
        found.push({ specifier: entry.moduleRequest.value, isTypeOnly: entry.isType, isDynamic: false });
    }
  }
  for (const item of module.dynamicImports) {
    const literal = /^['"](.+)['"]$/.exec(text.slice(item.moduleRequest.start, item.moduleRequest.end));
    if (literal?.[1]) found.push({ specifier: literal[1], isTypeOnly: false, isDynamic: true });
  }
  return found.map(({ specifier, ...rest }) => ({ from: file, ...resolveSpecifier(root, file, specifier), ...rest }));
}

function resolveSpecifier(root: string, from: string, specifier: string): { to: string; isInternal: boolean } {
  if (specifier.startsWith('.')) {
    return { to: path.posix.join(path.posix.dirname(from), specifier), isInternal: true };
  }
  const own = /^@backupx\/([a-z]+)(?:\/(.+))?$/.exec(specifier);
  const folder = own?.[1] ? workspaceFolders[own[1]] : undefined;
  if (folder === undefined) return { to: specifier, isInternal: false };
  const inside = own?.[2];
  if (inside === undefined) return { to: `${folder}/src/create-engine.ts`, isInternal: true };
  const candidate = `${folder}/src/${inside}.ts`;
  return { to: existsSync(path.join(root, candidate)) ? candidate : `${folder}/src/${inside}`, isInternal: true };
}

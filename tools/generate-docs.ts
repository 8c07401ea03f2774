/**
 * Writes the generated pages of `docs/` from the code they describe: `errors.md` from the error catalogue, `api.md`
 * from the route contracts, `config.md` from the configuration schema. `--check` only compares and fails when a page is out of date.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { allRoutes } from '@backupx/contracts/api/all-routes';
import type { RouteContract } from '@backupx/contracts/define-route';
import { errorCatalog } from '@backupx/contracts/errors';
import { z } from 'zod';
import { configKeys } from '../apps/server/src/config/config-schema.ts';

const root = path.resolve(import.meta.dirname, '..');

function errorsPage(): string {
  const rows = Object.entries(errorCatalog).map(
    ([code, entry]) =>
      `### ${code}\n\nHTTP ${entry.status}, exit code ${entry.exitCode}${entry.retryable ? ', worth trying again' : ''}\n\n${entry.message} ${entry.hint}\n`,
  );
  return `# Error codes\n\nEvery failure carries one of these codes. Words in braces are filled in when it happens.\nThis page is generated from \`packages/contracts/src/error-catalog\` by \`node tools/generate-docs.ts\`.\n\n${rows.join('\n')}`;
}

function apiPage(): string {
  const sections = Object.entries(allRoutes).map(([group, routes]) => {
    const rows = Object.values(routes as Record<string, RouteContract>).map(
      (route) => `| \`${route.method} ${route.path}\` | ${route.access} | ${route.summary} |`,
    );
    return `## ${group}\n\n| route | who | what |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# HTTP routes\n\nThe full schemas are served at \`/api/openapi.json\`. This page is generated from \`packages/contracts/src/api\` by\n\`node tools/generate-docs.ts\`.\n\n${sections.join('\n')}`;
}

function configPage(): string {
  const rows = configKeys.map((key) => {
    // As it is written in the file: the default before it is parsed.
    const fallback: unknown = z.toJSONSchema(key.schema, { io: 'input', unrepresentable: 'any' }).default;
    const shown = fallback === '' || fallback === undefined || Array.isArray(fallback) ? '' : `\`${String(fallback)}\``;
    const env = key.secret ? `\`${key.env}\`, \`${key.env}_FILE\`` : `\`${key.env}\``;
    return `| \`${key.name}\` | ${env} | ${shown} | ${key.help} |`;
  });
  return `# Configuration of the master

Read from \`./config.yaml\`, else \`/etc/backupx/config.yaml\`, or the file named by \`--config\`. The environment wins over the file, flags win over both.
An unknown key is an error that names the nearest known one; all problems are reported together. Durations are written
\`12h\`, rates \`10MB\` a second. This page is generated from \`apps/server/src/config/config-schema.ts\` by \`node tools/generate-docs.ts\`.

| key | environment | default | |
|---|---|---|---|
${rows.join('\n')}
`;
}

const pages: Readonly<Record<string, string>> = {
  'docs/errors.md': errorsPage(),
  'docs/api.md': apiPage(),
  'docs/config.md': configPage(),
};
const isCheck = process.argv.includes('--check');

for (const [file, text] of Object.entries(pages)) {
  const target = path.join(root, file);
  const current = existsSync(target) ? readFileSync(target, 'utf8') : '';
  if (current === text) continue;
  if (isCheck) {
    console.error(`${file} is out of date: run "node tools/generate-docs.ts"`);
    process.exitCode = 1;
  } else {
    writeFileSync(target, text);
    console.log(`wrote ${file}`);
  }
}

/** `npm run check`: formatting, lint, boundaries, sizes, dead exports, types. Runs every step and names all that failed. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const bin = (name: string): string => path.join(root, 'node_modules', '.bin', name);

const projects = [
  'packages/contracts',
  'packages/engine',
  'apps/server',
  'apps/agent',
  'apps/cli',
  'apps/web',
  'tests',
  'bench',
  'tools',
];

const steps: { name: string; command: string; args: string[] }[] = [
  { name: 'format and lint', command: bin('biome'), args: ['check', '.', '--max-diagnostics=50'] },
  { name: 'type-aware lint', command: bin('oxlint'), args: ['--type-aware', '-c', '.oxlintrc.json'] },
  { name: 'boundaries', command: process.execPath, args: ['tools/check-boundaries.ts'] },
  { name: 'clock and environment', command: process.execPath, args: ['tools/check-globals.ts'] },
  { name: 'sizes', command: process.execPath, args: ['tools/check-sizes.ts'] },
  { name: 'generated docs', command: process.execPath, args: ['tools/generate-docs.ts', '--check'] },
  { name: 'compiled WebAssembly', command: process.execPath, args: ['tools/build-wasm.ts', '--check'] },
  { name: 'dead exports', command: bin('knip'), args: ['--no-progress'] },
  ...projects.map((project) => ({ name: `types of ${project}`, command: bin('tsc'), args: ['-p', project] })),
];

const failed: string[] = [];
for (const step of steps) {
  const startedAt = performance.now();
  const result = spawnSync(step.command, step.args, { cwd: root, stdio: 'inherit' });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const isOk = result.status === 0;
  if (!isOk) failed.push(step.name);
  console.log(`${isOk ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)`);
}
if (failed.length > 0) {
  console.error(`\ncheck failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

/**
 * `npm test`: everything. Installs what the tests need (or stops and names it), builds the console, runs the unit and
 * the system tests, prints every skipped test with its reason, and ends with one line `N passed, N failed, N skipped`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findFerretdb } from './servers/ferretdb.ts';
import type { TestCounts } from './support/count-reporter.ts';
import { findModernRestic } from './support/modern-restic.ts';
import { findMongoTools } from './support/mongo-tools.ts';

const root = path.resolve(import.meta.dirname, '..');

/** Threads of the engine load their modules from here, as they do in the program; without it each compiles them anew. */
const codeCache = path.join(root, 'node_modules', '.cache', 'backupx-code');

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): number {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, NO_COLOR: '1', NODE_COMPILE_CACHE: codeCache, ...env },
  });
  return result.status ?? 1;
}

function runProject(project: string, filters: readonly string[]): TestCounts {
  const folder = mkdtempSync(path.join(tmpdir(), 'backupx-tests-'));
  const report = path.join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=./tests/support/count-reporter.ts'];
  const args = ['run', '--project', project, '--passWithNoTests', ...reporters, ...filters];
  const status = run(path.join(root, 'node_modules', '.bin', 'vitest'), args, { BACKUPX_TEST_REPORT: report });
  const counts = readCounts(report, project);
  rmSync(folder, { recursive: true, force: true });
  // A crash outside any test must not look like success.
  if (status !== 0 && counts.failed.length === 0)
    counts.failed.push(`${project}: the run itself failed (exit ${status})`);
  return counts;
}

function readCounts(file: string, project: string): TestCounts {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TestCounts;
  } catch {
    return { passed: 0, failed: [`${project}: the run left no report`], skipped: [] };
  }
}

function main(): number {
  const filters = process.argv.slice(2);
  if (run('bash', ['tests/install-peers.sh']) !== 0) return 1;
  // Built here and not in the middle of a test, which must not wait for minutes.
  findModernRestic();
  findMongoTools();
  findFerretdb();
  const vite = path.join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  if (run(process.execPath, [vite, 'build', 'apps/web']) !== 0) return 1;
  const all = ['unit', 'system', 'system-alone'].map((project) => runProject(project, filters));
  const passed = all.reduce((sum, counts) => sum + counts.passed, 0);
  const failed = all.flatMap((counts) => counts.failed);
  const skipped = all.flatMap((counts) => counts.skipped);
  for (const name of skipped) console.log(`skipped ${name}`);
  for (const name of failed) console.log(`failed ${name}`);
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0 && passed > 0 ? 0 : 1;
}

process.exitCode = main();

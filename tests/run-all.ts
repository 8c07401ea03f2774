/**
 * `npm test`: everything. Installs what the tests need (or stops and names it), builds the console, runs the unit and
 * the system tests, prints every skipped test, and ends with one line `N passed, N failed, N skipped`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const bin = (name: string): string => path.join(root, 'node_modules', '.bin', name);

interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
  readonly skippedNames: string[];
  readonly failedNames: string[];
}

function run(command: string, args: readonly string[]): number {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, NO_COLOR: '1' } });
  return result.status ?? 1;
}

function runProject(project: string, filters: readonly string[], totals: Totals): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'backupx-tests-'));
  const file = path.join(folder, 'report.json');
  const status = run(bin('vitest'), [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...filters,
  ]);
  let report: JsonReport | null = null;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as JsonReport;
  } catch {
    console.error(`the ${project} tests left no report`);
  }
  rmSync(folder, { recursive: true, force: true });
  if (report) addReport(project, report, totals);
  // A crash outside any test, or a file that does not load, must not look like success.
  const isCounted = (report?.numFailedTests ?? 0) > 0;
  if (status !== 0 && !isCounted) {
    totals.failed += 1;
    totals.failedNames.push(`${project}: the run itself failed (exit ${status})`);
  }
}

function addReport(project: string, report: JsonReport, totals: Totals): void {
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests;
  for (const result of report.testResults) {
    for (const test of result.assertionResults) {
      const name = `${project}: ${path.relative(root, result.name)}: ${test.fullName}`;
      if (test.status === 'failed') totals.failedNames.push(name);
      else if (test.status !== 'passed') {
        totals.skipped += 1;
        totals.skippedNames.push(name);
      }
    }
  }
}

function main(): number {
  const filters = process.argv.slice(2);
  if (run('bash', ['tests/install-peers.sh']) !== 0) return 1;
  if (run(process.execPath, [path.join(root, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', 'apps/web']) !== 0)
    return 1;
  const totals: Totals = { passed: 0, failed: 0, skipped: 0, skippedNames: [], failedNames: [] };
  for (const project of ['unit', 'system']) runProject(project, filters, totals);
  for (const name of totals.skippedNames) console.log(`skipped ${name}`);
  for (const name of totals.failedNames) console.log(`failed ${name}`);
  console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
  return totals.failed === 0 && totals.passed > 0 ? 0 : 1;
}

process.exitCode = main();

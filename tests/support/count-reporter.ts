/** A vitest reporter that writes counts, failures and skips with their reasons as JSON to BACKUPX_TEST_REPORT. */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

export interface TestCounts {
  passed: number;
  failed: string[];
  /** Name and reason of each. */
  skipped: string[];
}

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts: TestCounts = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) countModule(module, counts);
    if (unhandledErrors.length > 0) counts.failed.push(`${unhandledErrors.length} error(s) outside of any test`);
    const file = process.env.BACKUPX_TEST_REPORT;
    if (file) writeFileSync(file, JSON.stringify(counts));
  }
}

function countModule(module: TestModule, counts: TestCounts): void {
  const file = module.relativeModuleId;
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === 'passed') counts.passed += 1;
    else if (result.state === 'failed') counts.failed.push(`${file}: ${test.fullName}`);
    else
      counts.skipped.push(
        `${file}: ${test.fullName}: ${(result.state === 'skipped' && result.note) || 'no reason given'}`,
      );
  }
  // A file that does not load, or a hook that fails, has errors of its own.
  if (module.errors().length > 0) counts.failed.push(`${file}: ${module.errors()[0]?.message ?? 'could not be run'}`);
  for (const suite of module.children.allSuites()) {
    if (suite.errors().length > 0)
      counts.failed.push(`${file}: ${suite.fullName}: ${suite.errors()[0]?.message ?? 'a hook failed'}`);
  }
}

/**
 * Runs jobs of our engine in a process of its own, so that it can be killed for real. Reads lines of JSON
 * `{ tempDir, job }` from its standard input (secrets stay out of the argument list), answers each with one line
 * `{ result }` or `{ error }`, and ends when the input ends.
 */
import { createInterface } from 'node:readline';
import { AppError } from '@backupx/contracts/errors';
import type { Job } from '@backupx/contracts/jobs';
import { createEngine } from '@backupx/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';

const signal = new AbortController().signal;

async function answer(line: string): Promise<object> {
  const { tempDir, job } = JSON.parse(line) as { tempDir: string; job: Job };
  const engine = createEngine({ tempDir, storageAttempts: 1 });
  try {
    return { result: await engine.run(job, { reporter: silentReporter, signal }) };
  } catch (error) {
    return { error: error instanceof AppError ? error.toJSON() : { code: 'INTERNAL', params: { reason: `${error}` } } };
  } finally {
    await engine.close(1000);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JobProgress } from '@backupx/contracts/jobs';
import { expect, it } from 'vitest';
import { createEngine } from '../create-engine.ts';
import { silentReporter } from '../ports/reporter.ts';
import { backupJob } from '../testing/job-fixture.ts';

const BYTES = 48 * 1024 * 1024;
const BYTES_PER_SECOND = 16 * 1024 * 1024;

it('tells rate, percent and remaining time of a backup that is held to a bandwidth', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'backupx-progress-'));
  const source = path.join(root, 'data');
  mkdirSync(source);
  mkdirSync(path.join(root, 'store'));
  writeFileSync(path.join(source, 'large'), Buffer.alloc(BYTES, 'progress'));
  const engine = createEngine({ tempDir: path.join(root, 'temp') });
  const seen: JobProgress[] = [];
  const target = { id: 1, name: 'disk', type: 'local_disk', config: { basePath: path.join(root, 'store') } };
  try {
    await engine.run(
      backupJob([source], {
        targets: [{ ...target, viaMaster: false }],
        compression: 'none',
        bandwidthBytesPerSecond: BYTES_PER_SECOND,
      }),
      { reporter: { ...silentReporter, progress: (item) => seen.push(item) }, signal: new AbortController().signal },
    );
    const running = seen.filter((item) => item.phase === 'running' && item.etaSeconds !== null);
    expect(running.length).toBeGreaterThan(2);
    expect(running.every((item) => item.bytesTotal === BYTES && item.itemsTotal === 2)).toBe(true);
    const percents = running.map((item) => item.percent ?? 0);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    // The last report while running: the rate is near the limit, little is left.
    const last = running.at(-1);
    expect(last?.bytesPerSecond).toBeGreaterThan(BYTES_PER_SECOND / 3);
    expect(last?.bytesPerSecond).toBeLessThan(BYTES_PER_SECOND * 3);
    expect(last?.etaSeconds).toBeLessThanOrEqual(3);
    expect(seen.at(-1)).toMatchObject({ phase: 'done', percent: 100, bytesDone: BYTES });
  } finally {
    await engine.close(1000);
    rmSync(root, { recursive: true, force: true });
  }
});

/** Sources that stream their content (dumps), in archives and in repositories: the same way there and back. */
import { rmSync } from 'node:fs';
import type { RepositoryAccess, RunRestoreJob } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineSource, type RestoreContext, type RestoreEntry } from '../ports/source.ts';
import { packMasterKey } from '../repository/format/master-key.ts';
import { makeRepository } from '../repository/maintenance/small-repository.ts';
import { DUMP, dumpEntries } from '../testing/dump-readers.ts';
import { artifactOf, backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { runBackup } from './run-backup.ts';
import { runRestore } from './run-restore.ts';

let restored: Map<string, Buffer>;
let ends: string[];
let contexts: RestoreContext[];
let fixture: JobFixture;
let memory: MemoryStorage;
let access: RepositoryAccess;

const dumps = defineSource({
  type: 'dumps',
  title: 'Dumps',
  config: z.object({ isBroken: z.boolean().default(false) }),
  restoreConfig: z.object({ name: z.string().default('same') }),
  verify: 'structure',
  snapshotPaths: () => ['/dumps'],
  entries: dumpEntries,
  async restore(_config, context) {
    contexts.push(context);
    return {
      async write(entry: RestoreEntry) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of entry.content ?? []) chunks.push(Uint8Array.from(chunk));
        const path = Buffer.from(entry.path).toString().replace(/^\//, '');
        if (entry.type === 'file') restored.set(path, Buffer.concat(chunks));
      },
      async commit() {
        ends.push('commit');
        return { itemsWritten: restored.size, bytesWritten: 0, itemsSkipped: 0 };
      },
      async rollback() {
        ends.push('rollback');
      },
    };
  },
});

beforeEach(async () => {
  restored = new Map();
  ends = [];
  contexts = [];
  memory = createMemoryStorage();
  fixture = createJobFixture({ storages: { s1: memory }, sources: [dumps] });
  const repository = await makeRepository(memory);
  const unlock = { masterKey: packMasterKey(repository.masterKey) };
  access = { id: 0, target: testTarget(1), prefix: '', unlock, leaseId: 0, condemnedPacks: [] };
});
afterEach(() => rmSync(fixture.context.tempDir, { recursive: true, force: true }));

const source = (config = {}) => ({ type: 'dumps', config });

async function backup(mode: 'archive' | 'repository', config = {}) {
  const snapshot = { hostname: 'h', tags: [], parentId: null, dryRun: false };
  const more = mode === 'repository' ? { repositories: [access], snapshot } : {};
  const readersUrl = new URL('../testing/dump-readers.ts', import.meta.url).href;
  return await runBackup({ ...backupJob([]), source: source(config), ...more }, { ...fixture.context, readersUrl });
}

async function restore(result: Awaited<ReturnType<typeof backup>>, more: Partial<RunRestoreJob> = {}) {
  const snapshot = result.snapshot ? { repository: access, snapshotId: result.snapshot.snapshotId } : null;
  const job: RunRestoreJob = {
    ...{ kind: 'run_restore', restoreRecordId: 1, recordId: 7, taskName: 'test', source: source() },
    artifact: { ...artifactOf(result), snapshot },
    ...{ targetPath: null, paths: null, overwrite: 'always', ...more },
  };
  return await runRestore(job, fixture.context);
}

describe.each(['archive', 'repository'] as const)('in mode %s', (mode) => {
  it('comes back byte for byte, with the options of the restore', async () => {
    const result = await backup(mode);
    expect(result).toMatchObject({ status: 'success', sourceBytes: DUMP.byteLength + 2 });
    expect(await restore(result, { options: { name: 'other' } })).toMatchObject({ status: 'success', itemsWritten: 2 });
    expect([...restored.keys()]).toEqual(['dumps/a.json', 'dumps/b.sql']);
    expect(restored.get('dumps/b.sql')?.equals(DUMP)).toBe(true);
    expect(contexts[0]?.options).toEqual({ name: 'other' });
    expect(ends).toEqual(['commit']);
    await restore(result, { paths: ['/dumps/a.json'] });
    expect(contexts[1]).toMatchObject({ paths: ['/dumps/a.json'], options: { name: 'same' } });
  });

  it('fails when the stream fails, and leaves nothing', async () => {
    // Packs that were stored whole, and the index that names them, are used by the next run.
    const kept = () => [...memory.objects.keys()].filter((key) => !/^(data|index)\//.test(key));
    const before = kept();
    await expect(backup(mode, { isBroken: true })).rejects.toThrow('the server went away');
    expect(kept()).toEqual(before);
  });

  it('rolls a restore back that meets damage', async () => {
    const result = await backup(mode);
    for (const [key, bytes] of memory.objects) {
      if (!key.startsWith('data/') && (mode === 'repository' || key !== result.storagePath)) continue;
      const at = key.startsWith('data/') ? 100 : bytes.byteLength >> 1;
      memory.objects.set(
        key,
        Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 1 : byte)),
      );
    }
    await expect(restore(result)).rejects.toMatchObject({
      code: mode === 'archive' ? 'ARTIFACT_DAMAGED' : 'REPOSITORY_DAMAGED',
    });
    expect(ends).toEqual(['rollback']);
  });
});

/** Verification of archives and snapshots: what is proven, what is found, and that nothing is left behind. */
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RepositoryAccess, StoredArtifact, VerifyMode } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineSource } from '../ports/source.ts';
import { packMasterKey } from '../repository/format/master-key.ts';
import { makeRepository } from '../repository/maintenance/small-repository.ts';
import { sourceDrivers } from '../sources/index.ts';
import { dumpEntries } from '../testing/dump-readers.ts';
import { makeOddTree } from '../testing/file-tree.ts';
import { artifactOf, backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { runBackup } from './run-backup.ts';
import { verifyArtifact } from './verify-artifact.ts';

let root: string;
let source: string;
let memory: MemoryStorage;
let fixture: JobFixture;
let access: RepositoryAccess;
/** What the verifier of the dumps got and did. */
let seen: string[];

const dumps = defineSource({
  type: 'dumps',
  title: 'Dumps',
  config: z.object({ isBroken: z.boolean().default(false) }),
  restoreConfig: z.object({ server: z.string().default('here') }),
  verify: 'restore',
  snapshotPaths: () => ['/dumps'],
  entries: dumpEntries,
  restore: () => Promise.reject(new Error('a verification does not restore')),
  async openVerifier(_config, { depth, options }) {
    seen.push(`${depth} on ${options.server}`);
    return {
      async write(entry) {
        let bytes = 0;
        for await (const chunk of entry.content ?? []) bytes += chunk.byteLength;
        seen.push(`${Buffer.from(entry.path)} ${bytes}`);
      },
      finish: async () => [{ subject: 'b', name: 'rows', ok: !seen.includes('quick on wrong'), detail: 'counted' }],
      async close() {
        seen.push('closed');
      },
    };
  },
});

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-verify-'));
  source = path.join(root, 'srv');
  mkdirSync(source);
  seen = [];
  memory = createMemoryStorage();
  fixture = createJobFixture({ storages: { s1: memory }, sources: [...sourceDrivers, dumps] });
  const repository = await makeRepository(memory);
  const unlock = { masterKey: packMasterKey(repository.masterKey) };
  access = { id: 0, target: testTarget(1), prefix: '', unlock, leaseId: 0, condemnedPacks: [] };
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});

async function archive(type = 'file'): Promise<StoredArtifact> {
  const config: Record<string, unknown> = type === 'file' ? { paths: [source] } : {};
  return artifactOf(await runBackup(backupJob([], { source: { type, config } }), fixture.context));
}

async function snapshot(type = 'file'): Promise<StoredArtifact> {
  const config: Record<string, unknown> = type === 'file' ? { paths: [source] } : {};
  const readers = type === 'file' ? '../sources/readers.ts' : '../testing/dump-readers.ts';
  const job = backupJob([], {
    source: { type, config },
    repositories: [access],
    snapshot: { hostname: 'test', tags: [], parentId: null, dryRun: false },
  });
  const readersUrl = new URL(readers, import.meta.url).href;
  const result = await runBackup(job, { ...fixture.context, readersUrl });
  return {
    ...{ target: testTarget(1), storagePath: '', contentsPath: null, fileName: '', checksum: null, fileSize: null },
    encryption: null,
    snapshot: { repository: access, snapshotId: result.snapshot?.snapshotId ?? '' },
  };
}

const kinds = { archive, snapshot };
const verify = (artifact: StoredArtifact, mode: VerifyMode, type = 'file', options = {}) => {
  const config: Record<string, unknown> = type === 'file' ? { paths: [source] } : {};
  return verifyArtifact(
    { kind: 'verify_artifact', artifact, source: { type, config }, mode, options },
    fixture.context,
  );
};

/** Flips one byte in the middle. */
function damage(key: string): void {
  const bytes = Buffer.from(memory.objects.get(key) ?? []);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x40;
  memory.objects.set(key, bytes);
}
/** Packs of folders are small here. */
const isData = (key: string) => (memory.objects.get(key)?.byteLength ?? 0) > 1_000_000;
const keyOf = (start: string) => [...memory.objects.keys()].find((key) => key.startsWith(start)) ?? '';

describe.each(['archive', 'snapshot'] as const)('verification of an %s of files', (kind) => {
  it('restores all of a small one and leaves nothing behind', async () => {
    makeOddTree(source);
    const result = await verify(await kinds[kind](), 'deep');
    expect(result.checks.filter((check) => !check.ok)).toEqual([]);
    expect(result).toMatchObject({ status: 'success' });
    expect(result.itemCount).toBeGreaterThan(5);
    const restored = result.checks.find((check) => check.name === 'restore');
    expect(restored?.detail).toMatch(/^\d+ of \d+ file\(s\), [\d.]+ [kM]B, restored and compared/);
    expect(restored?.subject).toBe('all files');
    expect(readdirSync(fixture.context.tempDir)).toEqual([]);
  });

  it('restores a bounded sample of a large one, the largest files among it', async () => {
    for (let file = 0; file < 400; file += 1) writeFileSync(path.join(source, `f${file}`), `text ${file}`);
    writeFileSync(path.join(source, 'large'), Buffer.alloc(3_000_000, 'x'));
    const result = await verify(await kinds[kind](), 'deep');
    const restored = result.checks.find((check) => check.name === 'restore');
    expect(restored).toMatchObject({ ok: true, subject: 'sample' });
    expect(restored?.detail).toMatch(/^200 of 401 file\(s\), 3\.0 MB/);
  });

  it('proves the structure alone when it is quick', async () => {
    makeOddTree(source);
    const result = await verify(await kinds[kind](), 'quick');
    expect(result.status).toBe('success');
    expect(result.checks.map((check) => check.name)).toEqual(
      kind === 'archive' ? ['structure', 'checksum'] : ['structure'],
    );
  });
});

describe('damage', () => {
  it('in an archive is a failed check that says what', async () => {
    writeFileSync(path.join(source, 'a'), Buffer.alloc(200_000, 'abcdefg'));
    const artifact = await archive();
    damage(artifact.storagePath);
    const result = await verify(artifact, 'quick');
    expect(result.status).toBe('failed');
    expect(result.checks.find((check) => check.name === 'checksum')).toMatchObject({
      subject: artifact.fileName,
      ok: false,
      detail: expect.stringContaining('checksum'),
    });
    memory.objects.delete(artifact.storagePath);
    expect(await verify(artifact, 'quick')).toMatchObject({ status: 'failed' });
  });

  it('in a pack is found by a deep verification, which names pack and file', async () => {
    writeFileSync(path.join(source, 'lost'), randomBytes(3_000_000));
    const artifact = await snapshot();
    for (const key of memory.objects.keys()) if (key.startsWith('data/') && isData(key)) damage(key);
    const result = await verify(artifact, 'deep');
    expect(result.status).toBe('failed');
    expect(result.checks.find((check) => check.name === 'content')).toMatchObject({
      subject: expect.stringMatching(/^data\//),
      ok: false,
    });
    expect(JSON.stringify(result.checks)).toContain('srv/lost');
    expect(result.checks.some((check) => check.name === 'restore')).toBe(false);
  });

  it('of a pack that is gone or too short is found by a quick one', async () => {
    writeFileSync(path.join(source, 'lost'), Buffer.alloc(200_000, 'abcdefg'));
    const artifact = await snapshot();
    const key = keyOf('data/');
    const stored = memory.objects.get(key);
    memory.objects.delete(key);
    const missing = await verify(artifact, 'quick');
    expect(missing).toMatchObject({ status: 'failed', checks: [{ name: 'structure', ok: false }] });
    expect(missing.checks[0]?.detail).toContain('missing');
    if (stored) memory.objects.set(key, stored.subarray(0, 50));
    expect(await verify(artifact, 'quick')).toMatchObject({ status: 'failed' });
  });

  it('elsewhere in the repository is none of this snapshot', async () => {
    writeFileSync(path.join(source, 'a'), 'first');
    const artifact = await snapshot();
    const before = new Set(memory.objects.keys());
    writeFileSync(path.join(source, 'b'), 'second');
    await snapshot();
    for (const key of memory.objects.keys()) if (key.startsWith('data/') && !before.has(key)) damage(key);
    expect(await verify(artifact, 'deep')).toMatchObject({ status: 'success' });
  });

  it('a snapshot that is gone is damage, a storage out of reach is not', async () => {
    writeFileSync(path.join(source, 'a'), 'first');
    const artifact = await snapshot();
    memory.objects.delete(keyOf('snapshots/'));
    const gone = await verify(artifact, 'quick');
    expect(gone).toMatchObject({ status: 'failed', checks: [{ name: 'structure', ok: false }] });
    memory.objects.clear();
    await expect(verify(artifact, 'quick')).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' });
  });
});

describe.each(['archive', 'snapshot'] as const)('verification of an %s of dumps', (kind) => {
  it('goes through the verifier of the source, with its options', async () => {
    const artifact = await kinds[kind]('dumps');
    const result = await verify(artifact, 'deep', 'dumps', { server: 'other' });
    expect(result.checks).toContainEqual({ subject: 'b', name: 'rows', ok: true, detail: 'counted' });
    expect(seen[0]).toBe('deep on other');
    expect(seen).toContain('/dumps/b.sql 9000000');
    expect(seen.at(-1)).toBe('closed');
    expect(await verify(artifact, 'quick', 'dumps', { server: 'wrong' })).toMatchObject({ status: 'failed' });
  });
});

it('keeps apart sparse files, links and times', async () => {
  writeFileSync(path.join(source, 'sparse'), 'head');
  truncateSync(path.join(source, 'sparse'), 5_000_000);
  symlinkSync('sparse', path.join(source, 'link'));
  utimesSync(path.join(source, 'sparse'), 1, 1_234_567);
  for (const kind of [archive, snapshot]) {
    const result = await verify(await kind(), 'deep');
    expect(result.checks.find((check) => check.name === 'restore')).toMatchObject({ ok: true });
  }
});

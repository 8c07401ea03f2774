/** Which server an archive comes from, as its list of contents is looked at. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAgeKey } from '../archive/encryption.ts';
import { formatInventory } from '../ports/database-inventory.ts';
import { sourceDrivers } from '../sources/index.ts';
import { artifactOf, backupJob, createJobFixture, type JobFixture, testTarget } from '../testing/job-fixture.ts';
import { createMemoryStorage, type MemoryStorage } from '../testing/memory-storage.ts';
import { browseArtifact } from './browse-artifact.ts';
import { runBackup } from './run-backup.ts';

let root: string;
let memory: MemoryStorage;
let fixture: JobFixture;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-server-'));
  memory = createMemoryStorage();
  fixture = createJobFixture({ storages: { s1: memory }, sources: sourceDrivers });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(fixture.context.tempDir, { recursive: true, force: true });
});

const head = '-- MariaDB dump 10.19\n--\n-- Server version\t10.11.19-MariaDB\n';
const inventory = (server: string) =>
  formatInventory({ ...{ format: 1, server, tool: '', database: 'shop', objects: [], details: {} } });

/** Backs up a folder `shop` with these files, and asks as a preview does. */
async function serverOf(files: Readonly<Record<string, string>>, type = 'mysql') {
  const folder = path.join(root, 'mysql', 'shop');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const key = await createAgeKey();
  const job = backupJob([path.join(root, 'mysql')], {
    compression: 'zstd',
    encryption: { recipients: [key.recipient] },
  });
  const artifact = artifactOf(await runBackup(job, fixture.context), testTarget(1), { identities: [key.identity] });
  const question = { kind: 'browse_artifact', path: '', search: 'inventory.json', offset: 0, limit: 10 } as const;
  const source = { type, config: {} };
  const ask = (signal = fixture.context.signal) =>
    browseArtifact({ ...question, artifact, source }, { ...fixture.context, signal });
  return { ask, artifact, question };
}

it('is said by the first bytes of a dump, and of nothing that follows', async () => {
  const { ask } = await serverOf({
    'dump.sql': `${head}${'x'.repeat(100_000)}`,
    'inventory.json': inventory('other 1'),
  });
  expect(await ask()).toMatchObject({ total: 1, server: 'MariaDB 10.11.19' });
});

it('is said by an inventory where a dump does not', async () => {
  const { ask } = await serverOf({ 'dump.sql': 'SELECT 1;', 'inventory.json': inventory('MySQL 8.4.0') });
  expect(await ask()).toMatchObject({ server: 'MySQL 8.4.0' });
});

it('is unknown when nothing says it, what says it is damaged, or nobody could', async () => {
  const nothing = await serverOf({ 'dump.sql': 'SELECT 1;' });
  expect(await nothing.ask()).toMatchObject({ server: null });
  const damaged = await serverOf({ 'dump.sql': 'SELECT 1;', 'inventory.json': 'none' });
  expect(await damaged.ask()).toMatchObject({ total: 1, server: null });
  const strange = await serverOf({ 'dump.sql': head }, 'file');
  expect(await strange.ask()).toMatchObject({ server: null });
});

it('is not looked for unless somebody asks', async () => {
  const { artifact, question } = await serverOf({ 'dump.sql': head });
  expect(await browseArtifact({ ...question, artifact }, fixture.context)).not.toHaveProperty('server');
});

/**
 * A small installation with something of everything: good, failing, incomplete and switched-off tasks, a broken
 * storage, people, a key, restores. The page tests look at it, and so does the script that takes the screenshots.
 */
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { MaintenanceRecord } from '@backupx/contracts/api/maintenance';
import type { RestoreRecord } from '@backupx/contracts/api/records';
import type { Repository } from '@backupx/contracts/api/repositories';
import type { StorageTarget } from '@backupx/contracts/api/storage-targets';
import { type Client, createLocalTarget, createTask, restoreRecord, runTask } from '../support/master.ts';
import { waitFor } from '../support/start-program.ts';

export interface Places {
  /** Holds `www`, `mail`, `photos`, `finance` and `wiki`. */
  readonly sources: string;
  /** Where the storages lie. */
  readonly stores: string;
}

/** Ids of what was set up. */
export interface Setting {
  /** `02:00` */
  readonly dailyAt: string;
  readonly targets: { readonly nas: number; readonly usb: number; readonly offSite: number };
  readonly tasks: Readonly<Record<'web' | 'mail' | 'photos' | 'finance' | 'crm' | 'old' | 'wiki', number>>;
}

/** The same, and ids of what came of it. */
export interface Installation extends Setting {
  readonly records: Readonly<Record<'good' | 'failed' | 'warning', number>>;
  readonly restores: Readonly<Record<'good' | 'failed', number>>;
  readonly repository: SeededRepository;
}

/** A repository with two snapshots and a check. */
export interface SeededRepository {
  readonly id: number;
  readonly recordId: number;
  readonly snapshotId: string;
  readonly checkId: number;
}

export const viewerLogin = { username: 'victor', password: 'looks but touches not' };

/** Reproducible bytes that do not compress. */
function makeNoise(bytes: number, seed: number): Buffer {
  const noise = Buffer.alloc(bytes);
  for (let at = 0, state = seed; at + 4 <= bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    noise.writeInt32LE(state, at);
  }
  return noise;
}

/** Writes the folders that are backed up; about 30 MB. */
export function makeSources({ sources, stores }: Places): void {
  const write = (name: string, content: string | Buffer): void => {
    const file = path.join(sources, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  };
  for (const page of ['index', 'about', 'contact', 'imprint', 'prices'])
    write(`www/${page}.html`, `<!doctype html><title>${page}</title>\n${`<p>${page}</p>\n`.repeat(300)}`);
  for (let index = 1; index <= 40; index++)
    write(`www/articles/2026/article-${index}.html`, `<h1>Article ${index}</h1>\n`.repeat(80 * index));
  write('www/css/site.css', 'body { margin: 0 }\n'.repeat(400));
  write('www/css/print.css', '@page { margin: 2cm }\n'.repeat(60));
  for (let index = 1; index <= 6; index++) write(`www/img/banner-${index}.webp`, makeNoise(60_000 * index, index));
  for (const box of ['inbox', 'sent', 'archive-2025', 'archive-2026'])
    write(`mail/${box}.mbox`, Buffer.concat([makeNoise(900_000, box.length), Buffer.from('From: a@example.com\n')]));
  for (let index = 1; index <= 24; index++)
    write(`photos/2026/${index < 10 ? 'spring' : 'summer'}/DSC0${1000 + index}.jpg`, makeNoise(900_000, 100 + index));
  for (const month of ['04', '05', '06']) write(`finance/2026/report-${month}.xlsx`, makeNoise(80_000, Number(month)));
  write('finance/2026/invoices.csv', 'date,number,amount\n'.repeat(2000));
  for (let index = 1; index <= 30; index++)
    write(
      `wiki/pages/page-${index}.md`,
      `# Page ${index}\n\n${`What everybody should know, part ${index}.\n`.repeat(90)}`,
    );
  for (let index = 1; index <= 4; index++) write(`wiki/files/plan-${index}.pdf`, makeNoise(300_000, 700 + index));
  mkdirSync(stores, { recursive: true });
  // The disk is unplugged: a file stands where its folder should be.
  writeFileSync(path.join(stores, 'usb-disk'), '');
}

async function createTargets(client: Client, stores: string): Promise<Installation['targets']> {
  const nas = await createLocalTarget(client, path.join(stores, 'nas'), { name: 'NAS' });
  const usb = await createLocalTarget(client, path.join(stores, 'usb-disk'), { name: 'USB disk' });
  const offSite = await client.call<StorageTarget>('POST', '/api/storage-targets', {
    name: 'Off-site bucket',
    type: 's3',
    config: {
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-central-1',
      bucket: 'backups',
      prefix: 'office',
      accessKeyId: 'AKIAEXAMPLE',
      secretAccessKey: 'not-a-real-secret',
      forcePathStyle: true,
    },
  });
  await client.call('POST', `/api/storage-targets/${nas.id}/test`);
  await client.call('POST', `/api/storage-targets/${usb.id}/test`).catch(() => undefined);
  return { nas: nas.id, usb: usb.id, offSite: offSite.id };
}

/** Hour of the daily runs; another one where they would come while somebody looks. */
function quietHour(now: Date): number {
  const isNear = (hour: number): boolean =>
    [now.getHours(), now.getUTCHours()].some((current) => Math.abs(current - hour) <= 1);
  return [2, 8, 14].find((hour) => !isNear(hour)) ?? 20;
}

/** Creates storages, tasks and people. `nodeId`: the server of the web files, whose agent runs. */
export async function createInstallation(client: Client, places: Places, nodeId: number): Promise<Setting> {
  const targets = await createTargets(client, places.stores);
  const at = (name: string) => [path.join(places.sources, name)];
  const hour = quietHour(new Date());
  const daily = { cronExpr: `0 ${hour} * * *`, retentionDays: 0, keepDaily: 30, keepWeekly: 8, keepMonthly: 12 };
  const make = async (name: string, more: Partial<Parameters<typeof createTask>[1]>): Promise<number> => {
    const task = await createTask(client, { name, storageTargetIds: [targets.nas], ...daily, ...more });
    return task.id;
  };
  const web = { sourcePaths: at('www'), nodeId, encrypt: true, excludePatterns: ['node_modules/', '*.tmp'] };
  const tasks = {
    web: await make('web-files', web),
    mail: await make('mail-archive', { sourcePaths: at('mail'), encrypt: true }),
    photos: await make('photos', { sourcePaths: at('photos'), cronExpr: `0 ${hour} * * 0`, compression: 'none' }),
    finance: await make('finance-share', {
      sourcePaths: at('finance'),
      storageTargetIds: [targets.nas, targets.usb],
      encrypt: true,
    }),
    crm: await make('crm-documents', { sourcePaths: at('crm') }),
    wiki: await make('wiki', { sourcePaths: at('wiki'), backupMode: 'repository', cronExpr: '', tags: ['team'] }),
    old: await make('old-projects', { sourcePaths: at('mail'), enabled: false }),
  };
  await addPeople(client);
  return { dailyAt: `${String(hour).padStart(2, '0')}:00`, targets, tasks };
}

/** Runs every task once, whatever comes of it. */
export async function runEveryTask(client: Client, { tasks }: Setting): Promise<Installation['records']> {
  for (const id of [tasks.mail, tasks.photos]) await runTask(client, id);
  return {
    good: (await runTask(client, tasks.web)).id,
    failed: (await runTask(client, tasks.crm)).id,
    warning: (await runTask(client, tasks.finance)).id,
  };
}

export function waitForMaintenance(client: Client, id: number): Promise<MaintenanceRecord> {
  return waitFor(`maintenance ${id} ends`, async () => {
    const record = await client.call<MaintenanceRecord>('GET', `/api/maintenance/records/${id}`);
    return record.status === 'running' ? null : record;
  });
}

async function checkRepository(client: Client, id: number): Promise<number> {
  const started = await client.call<MaintenanceRecord>('POST', `/api/repositories/${id}/check`, { read: 'all' });
  return (await waitForMaintenance(client, started.id)).id;
}

/** Two runs with a little change between them, then a check. */
export async function fillRepository(client: Client, places: Places, { tasks }: Setting): Promise<SeededRepository> {
  await runTask(client, tasks.wiki);
  appendFileSync(path.join(places.sources, 'wiki', 'pages', 'page-7.md'), 'And one thing more.\n');
  writeFileSync(path.join(places.sources, 'wiki', 'pages', 'page-31.md'), '# Page 31\n');
  const { id: recordId, repositoryId, snapshotId } = await runTask(client, tasks.wiki);
  return { id: repositoryId, recordId, snapshotId, checkId: await checkRepository(client, repositoryId) };
}

/** Another repository, one of whose packs is damaged, as its check has found. */
export async function damageRepository(
  client: Client,
  places: Places,
  { targets }: Setting,
): Promise<SeededRepository> {
  const created = await client.call<{ repository: Repository }>('POST', '/api/repositories', {
    name: 'Scratched disk',
    storageTargetId: targets.nas,
    prefix: 'scratched',
  });
  const { id } = created.repository;
  const sourcePaths = [path.join(places.sources, 'wiki')];
  const more = { storageTargetIds: [targets.nas], backupMode: 'repository', repositoryId: id } as const;
  const task = await createTask(client, { name: 'wiki-copy', sourcePaths, ...more });
  const { id: recordId, snapshotId } = await runTask(client, task.id);
  const packs = readdirSync(path.join(places.stores, 'nas', 'scratched', 'data'), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted((a, b) => statSync(b).size - statSync(a).size);
  const [largest = ''] = packs;
  const bytes = readFileSync(largest);
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 255, 1000);
  chmodSync(largest, 0o600);
  writeFileSync(largest, bytes);
  return { id, recordId, snapshotId, checkId: await checkRepository(client, id) };
}

/** One restore that works and one that cannot. */
export async function runRestores(client: Client, places: Places, recordId: number): Promise<Installation['restores']> {
  const restore = (targetPath: string): Promise<RestoreRecord> => restoreRecord(client, recordId, { targetPath });
  return {
    good: (await restore(path.join(places.sources, 'www.restored'))).id,
    failed: (await restore(path.join(places.stores, 'usb-disk', 'www'))).id,
  };
}

async function addPeople(client: Client): Promise<void> {
  await client.call('POST', '/api/users', { ...viewerLogin, displayName: 'Victor Viewer', role: 'viewer' });
  await client.call('POST', '/api/users', {
    username: 'olivia',
    displayName: 'Olivia Operator',
    role: 'operator',
    password: 'starts and restores',
  });
  await client.call('POST', '/api/api-keys', { name: 'monitoring', role: 'viewer', ttlHours: 2160 });
}

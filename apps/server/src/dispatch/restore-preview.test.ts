/** What a restore would replace, asked of its server through the routes. */

import type { BrowseArtifactJob } from '@backupx/contracts/jobs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestRuns, type TestRuns } from '../connect-test-runs.ts';

const stored = { dbHost: 'db-1', dbPort: 5433, dbUser: 'reader', dbPassword: 'top secret', databases: [] };
const session = { id: '7', user: 'till', address: '10.0.0.7', program: 'psql', since: null };
const shop = { name: 'shop', exists: true, sizeBytes: 10, sessions: [session] };

const entryOf = (path: string) => ({ name: '', path, type: 'file' as const, size: 1, modifiedAt: null, mode: null });

let test: TestRuns;
let recordId: number;
beforeEach(async () => {
  test = await createTestRuns();
  const targetId = await test.addTarget('disk');
  const body = { name: 'shop', type: 'shopdb', storageTargetIds: [targetId], extraConfig: stored };
  const task = (await test.call('POST', '/backup/tasks', body)).data as { id: number };
  recordId = ((await test.call('POST', `/backup/tasks/${task.id}/run`)).data as { id: number }).id;
  await test.ended(recordId);
  const entries = ['/shopdb/shop/inventory.json', '/shopdb/crm/inventory.json', '/shopdb/my-inventory.json.txt'].map(
    entryOf,
  );
  test.engine.answers.set('browse_artifact', { entries, total: entries.length, nextOffset: null });
  test.engine.answers.set('inspect_target', { server: 'db-1:5433', databases: [shop] });
});
afterEach(() => test.close());

const preview = async (body: object) => {
  const { status, data } = await test.call('POST', `/backup/records/${recordId}/restore/preview`, body);
  return { status, data: data as Record<string, unknown> };
};
const asked = () => {
  const job = test.engine.jobs.findLast((one) => one.kind === 'inspect_target');
  return job?.kind === 'inspect_target' ? job : undefined;
};

describe('a preview of a restore', () => {
  it('answers what is there, and leaves no trace', async () => {
    const options = { replaceExisting: true, rename: ['crm=crm2'] };
    expect(await preview({ options })).toEqual({ status: 200, data: { server: 'db-1:5433', databases: [shop] } });
    const entries = ['/shopdb/shop/inventory.json', '/shopdb/crm/inventory.json'];
    const source = { type: 'shopdb', config: stored };
    expect(asked()).toEqual({ kind: 'inspect_target', source, options, entries, savedServer: '' });
    expect(await test.db.selectFrom('restore_records').select('id').execute()).toEqual([]);
  });

  it.each([
    [['/shopdb/shop'], ['/shopdb/shop/inventory.json']],
    [['/shopdb/shop/dump.sql'], ['/shopdb/shop/inventory.json']],
    [['/shopdb'], ['/shopdb/shop/inventory.json', '/shopdb/crm/inventory.json']],
    [['/shopdb/sho'], []],
  ])('asks for what was chosen only: %j', async (paths, entries) => {
    await preview({ paths });
    expect(asked()?.entries).toEqual(entries);
  });

  it('tells the server of the restore which one the backup comes from', async () => {
    const page = { entries: [entryOf('/shopdb/shop/inventory.json')], total: 1, nextOffset: null };
    test.engine.answers.set('browse_artifact', { ...page, server: 'Shop 1.2' });
    const otherVersion = { saved: 'Shop 1.2', target: 'Shop 1.3', difference: 'newer' };
    test.engine.answers.set('inspect_target', { server: 'db-1:5433', databases: [], otherVersion });
    expect((await preview({})).data).toMatchObject({ otherVersion });
    expect(asked()?.savedServer).toBe('Shop 1.2');
    const browsed = test.engine.jobs.find((one) => one.kind === 'browse_artifact');
    expect(browsed).toMatchObject({ source: { type: 'shopdb', config: {} } });
  });

  it('overlooks no database of a server that has thousands', async () => {
    const all = Array.from({ length: 2500 }, (_, index) => `/shopdb/s${index}/inventory.json`);
    test.engine.answers.set('browse_artifact', ({ offset, limit }: BrowseArtifactJob) => ({
      entries: all.slice(offset, offset + limit).map((path) => entryOf(path)),
      total: all.length,
      nextOffset: offset + limit < all.length ? offset + limit : null,
    }));
    await preview({});
    expect(asked()?.entries).toEqual(all);
  });

  it('tells another server none of the stored secrets', async () => {
    await preview({ options: { dbHost: 'evil.example', dbPassword: 'typed' } });
    expect(asked()?.source.config).not.toHaveProperty('dbPassword');
    expect(asked()?.options).toEqual({ dbHost: 'evil.example', dbPassword: 'typed' });
  });

  it('is not asked without end', async () => {
    for (let count = 0; count < 30; count += 1) await preview({});
    expect((await preview({})).data.code).toBe('RATE_LIMITED');
  });
});

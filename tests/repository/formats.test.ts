/** Single files: what we write of them stock restic reads, and what it writes we write byte for byte the same. */
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../packages/engine/src/ports/clock.ts';
import { createBlobReader } from '../../packages/engine/src/repository/blob-reader.ts';
import { packMasterKey } from '../../packages/engine/src/repository/format/master-key.ts';
import { packSnapshot } from '../../packages/engine/src/repository/format/snapshot-file.ts';
import { packNode, packTree, parseTree } from '../../packages/engine/src/repository/format/tree-node.ts';
import { initRepository } from '../../packages/engine/src/repository/init-repository.ts';
import { loadIndex } from '../../packages/engine/src/repository/load-index.ts';
import { acquireLock } from '../../packages/engine/src/repository/locks.ts';
import { openRepository, type Repository } from '../../packages/engine/src/repository/open-repository.ts';
import { addKey } from '../../packages/engine/src/repository/repository-keys.ts';
import { listSnapshots } from '../../packages/engine/src/repository/snapshots.ts';
import { localDisk } from '../../packages/engine/src/storages/local-disk.ts';
import { makeRareKinds, makeTree } from '../support/make-tree.ts';
import { forEachRestic, type Restic } from '../support/restic.ts';
import { makeWorkFolder } from '../support/work-folder.ts';

const signal = new AbortController().signal;
const password = 'geheim';

/** Names with every kind of character that Go's quoting or its JSON treats in a way of its own. */
const NAMES = [
  ...['3c68746d6c3e26616d703b', '61225c62', '5c783431', '07080c0b0d091b7f', '636166e9', '636166c3a9', 'fffe', 'c0af'],
  ...['e280a8e280a9c2a0e2808d', 'f09f9880f3a08081f48fbfbf', 'f09f98', 'eda080', 'cdb8efbfbdefbbbfc2ad', 'cc80'],
  ...['f0aeafb0e2bfbcf09c8080', 'ee8080', 'e697a5e69cac', '206120', '2524234021', '27602e2e'],
].map((hex) => Buffer.from(hex, 'hex'));

const place = (folder: string) => ({
  storage: localDisk.create({ basePath: folder, masterRelay: false }),
  prefix: '',
  label: folder,
});

function makeOddItems(folder: string): void {
  makeTree(folder, { files: 60 });
  makeRareKinds(path.join(folder, 'rare'));
  const odd = Buffer.from(`${path.join(folder, 'quoting')}/`);
  mkdirSync(odd);
  for (const name of NAMES) writeFileSync(Buffer.concat([odd, name]), name);
  symlinkSync('ziel-é\u2028\n"<&>', Buffer.concat([odd, Buffer.from('link')]));
  const times = [0, 0.1, 0.12, 1e9, 1_700_000_000.5, 4e9, -1];
  for (const [index, seconds] of times.entries()) {
    const file = Buffer.concat([odd, Buffer.from(`time-${index}`)]);
    writeFileSync(file, 'x');
    utimesSync(file, seconds, seconds);
  }
}

function sameBytes(restic: Restic): void {
  const work = makeWorkFolder('formats');
  let repository: Repository;
  beforeAll(async () => {
    makeOddItems(work.at('source'));
    const theirs = restic.open(work.at('theirs'), password);
    await theirs.ok(['init']);
    await theirs.ok(['backup', '--tag', 'a,b', '--exclude', '*.none', work.at('source')], { env: { TZ: 'UTC' } });
    repository = await openRepository(place(work.at('theirs')), { password }, signal);
  });
  afterAll(() => work.remove());

  it('of every tree', async () => {
    const index = await loadIndex(repository, { signal });
    const reader = createBlobReader({ repository, index, signal });
    let trees = 0;
    for (let entry = 0; entry < index.count; entry += 1) {
      if (index.typeOf(entry) !== 'tree') continue;
      const blob = await reader.read(index.idOf(entry), 'tree');
      expect(packTree(parseTree(blob).map(packNode)).toString()).toBe(asWritten(blob.toString(), restic));
      trees += 1;
    }
    expect(trees).toBeGreaterThan(20);
  });

  it('of the snapshot', async () => {
    const [snapshot] = await listSnapshots(repository, signal);
    if (!snapshot) throw new Error('there is no snapshot');
    const json = await repository.readFile('snapshots', snapshot.id, signal);
    expect(packSnapshot(snapshot).toString()).toBe(json.toString());
  });
}

/** Old restics lose link targets that are no UTF-8; their mark for it is all that is left to write. */
function asWritten(json: string, { isModern }: Restic): string {
  return isModern ? json : json.replaceAll('\\ufffd', '\ufffd');
}

function understands(restic: Restic): void {
  const work = makeWorkFolder('formats');
  const view = restic.open(work.at('ours'), password);
  let repository: Repository;
  beforeAll(async () => {
    const created = new Date().toISOString();
    const options = { password, hostname: 'desk', username: 'me', created, cost: { N: 1024, r: 8, p: 1 } };
    await initRepository(place(work.at('ours')), options, signal);
    repository = await openRepository(place(work.at('ours')), { password }, signal);
    mkdirSync(work.at('source'));
    writeFileSync(work.at('source/file'), 'content');
  });
  afterAll(() => work.remove());

  it('our config and master key', async () => {
    const config = JSON.parse(await view.ok(['cat', 'config']));
    const { id, chunkerPolynomial } = repository.config;
    expect(config).toEqual({ version: 2, id, chunker_polynomial: chunkerPolynomial.toString(16) });
    const { mac, encrypt } = JSON.parse(await view.ok(['cat', 'masterkey']));
    const theirs = Buffer.concat([encrypt, mac.k, mac.r].map((text: string) => Buffer.from(text, 'base64')));
    expect(theirs.toString('base64')).toBe(packMasterKey(repository.masterKey));
  });

  it('our keys, as we do its own', async () => {
    const created = new Date().toISOString();
    const id = await addKey(repository, { password: 'second', hostname: 'other', username: 'you', created }, signal);
    const keys = await view.json<{ id: string; userName: string; hostName: string }>(['key', 'list']);
    expect(keys).toHaveLength(2);
    expect(keys).toContainEqual(expect.objectContaining({ userName: 'you', hostName: 'other' }));
    expect(keys.some((key) => id.startsWith(key.id))).toBe(true);
    const second = restic.open(work.at('ours'), 'second');
    writeFileSync(work.at('third'), 'third\n');
    await second.ok(['key', 'add', '--new-password-file', work.at('third')]);
    const third = await openRepository(place(work.at('ours')), { password: 'third' }, signal);
    expect(third.masterKey).toEqual(repository.masterKey);
  });

  it('our locks: what may run beside them and what may not', async () => {
    const owner = { hostname: hostname(), username: 'me', pid: process.pid, uid: 1, gid: 1 };
    const take = (exclusive: boolean) =>
      acquireLock(repository, { exclusive, owner, signal, clock: systemClock, onLost() {} });
    const exclusive = await take(true);
    const shown = JSON.parse(await view.ok(['cat', '--no-lock', 'lock', exclusive.id]));
    expect(shown).toMatchObject({ exclusive: true, username: 'me', pid: process.pid });
    const refused = await view.run(['backup', work.at('source')]);
    expect(refused.status).toBe(restic.isModern ? 11 : 1);
    expect(refused.stderr).toContain('already locked exclusively');
    // Asks this very process by SIGHUP whether it lives.
    await view.ok(['unlock']);
    expect((await view.run(['backup', work.at('source')])).status).not.toBe(0);
    await exclusive.release();
    const shared = await take(false);
    await view.ok(['backup', work.at('source')]);
    expect((await view.run(['prune'])).status).not.toBe(0);
    await shared.release();
    await view.ok(['prune']);
    await view.mustBeClean();
  });
}

describe('we write the same bytes', () => forEachRestic('as', sameBytes));
describe('what we write is understood', () => forEachRestic('by', understands));

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createXattrReader } from './extended-attributes.ts';

const NOBODY = 65_534;
let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'backupx-metadata-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Sets the metadata of a file and a folder in a child process without the rights of root; answers what failed. */
function applyAsNobody(file: string, folder: string): unknown {
  const script = `
    import { openSync } from 'node:fs';
    const isRoot = process.getuid() === 0;
    // The code may lie where only root can read it: it is loaded first, and must not take itself for root.
    if (isRoot) process.getuid = () => ${NOBODY};
    const { applyToDescriptor, applyToFolder } = await import(${JSON.stringify(new URL('./apply-metadata.ts', import.meta.url).href)});
    if (isRoot) { process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY}); }
    const [file, folder] = ${JSON.stringify([file, folder])};
    const xattrs = new Map([['user.k', Buffer.from('value')]]);
    const metadata = (mode) => ({ mode, uid: 0, gid: 0, userName: '', groupName: '', modifiedAtNs: 1n, xattrs });
    const failures = applyToDescriptor({ descriptor: openSync(file, 'r'), path: file }, metadata(0o444), {});
    console.log(JSON.stringify([...failures, ...applyToFolder(folder, metadata(0o555), {})]));`;
  return JSON.parse(spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout);
}

it('sets attributes of what stayed in place and is read-only', ({ skip }) => {
  const [file, folder, probe] = [path.join(root, 'file'), path.join(root, 'folder'), path.join(root, 'probe')];
  writeFileSync(probe, '');
  skip(spawnSync('setfattr', ['-n', 'user.k', '-v', 'value', probe]).status !== 0, 'no extended attributes here');
  writeFileSync(file, 'x');
  mkdirSync(folder);
  if (process.getuid?.() === 0) for (const item of [root, file, folder]) chownSync(item, NOBODY, NOBODY);
  chmodSync(file, 0o400);
  chmodSync(folder, 0o500);
  expect(applyAsNobody(file, folder)).toEqual([]);
  const reader = createXattrReader(() => {});
  const found = [file, folder].map((item) => reader.read(item, 1n)?.get('user.k'));
  expect(found.map((value) => value && Buffer.from(value).toString())).toEqual(['value', 'value']);
  expect([file, folder].map((item) => statSync(item).mode & 0o7777)).toEqual([0o444, 0o555]);
});

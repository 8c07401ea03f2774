/** A process killed in the middle of a put: the old object stays whole, nothing half-written is ever seen. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { localDisk } from '../../packages/engine/src/storages/local-disk.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'backupx-crash-'));
const basePath = path.join(folder, 'base');
const storage = localDisk.create({ basePath, masterRelay: false });
const signal = new AbortController().signal;
const driver = pathToFileURL(path.resolve(import.meta.dirname, '../../packages/engine/src/storages/local-disk.ts'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes `kept/object` without end and says `ready` once bytes are on the disk. */
const writer = `
  const { localDisk } = await import(${JSON.stringify(driver.href)});
  async function* endless() {
    for (let i = 0; ; i++) {
      yield Buffer.alloc(1024 * 1024, 1);
      if (i === 8) console.log('ready');
      if (i > 64) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const storage = localDisk.create({ basePath: ${JSON.stringify(basePath)}, masterRelay: false });
  await storage.put('kept/object', endless(), { signal: new AbortController().signal });
`;

async function* oldText() {
  yield Buffer.from('the old object');
}

it('keeps the old object and shows nothing of the new one', async () => {
  await storage.put('kept/object', oldText(), { signal });
  const child = spawn(process.execPath, ['--input-type=module', '-e', writer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));

  expect(readdirSync(basePath).some((name) => name.startsWith('.backupx-tmp-'))).toBe(true);
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.get('kept/object', { signal })) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe('the old object');
  const keys: string[] = [];
  for await (const object of storage.list('', signal)) keys.push(object.key);
  expect(keys).toEqual(['kept/object']);
});

import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from 'vitest';
import { findTool } from './find-tool.ts';
import { describeEnd, outputOf, runTool, startTool } from './processes.ts';
import { removeSecretsOf, SecretFolder } from './secret-folder.ts';

const shell = (script: string) => ({ program: '/bin/sh', args: ['-c', script] });
const live = () => new AbortController().signal;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'processes-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function isGoneSoon(pid: number): Promise<boolean> {
  for (let waited = 0; waited < 20_000 && isRunning(pid); waited += 20) await sleep(20);
  return !isRunning(pid);
}

const pidIn = async (file: string): Promise<number> => {
  for (;;) {
    try {
      const pid = Number(readFileSync(file, 'utf8'));
      if (pid > 0) return pid;
    } catch {
      // not there yet
    }
    await sleep(10);
  }
};

describe('runTool', () => {
  it('answers output, messages and exit code', async () => {
    const end = await runTool(shell('cat; echo wrong >&2; exit 3'), { signal: live(), input: 'in' });
    expect(end).toMatchObject({ text: 'in', messages: 'wrong', exitCode: 3, signal: null });
    expect(describeEnd(end)).toBe('wrong (exit code 3)');
  });

  it('gives a tool none of our environment', async () => {
    process.env.PGPASSWORD = 'inherited';
    const { text } = await runTool({ ...shell('env'), env: { EXTRA: '1' } }, { signal: live() });
    delete process.env.PGPASSWORD;
    expect(text).not.toContain('inherited');
    expect(text).toContain('EXTRA=1');
    expect(text).toContain('LC_ALL=C.UTF-8');
  });

  it('leaves secrets out of what it tells', async () => {
    const end = await runTool({ ...shell('echo "bad s3cret" >&2'), secrets: ['s3cret', ''] }, { signal: live() });
    expect(end.messages).toBe('bad ***');
  });

  it('ends one that takes too long, with all that it started', async () => {
    const file = join(folder, 'pid');
    // On a busy machine it may take that long to begin: then nothing was started, and it gets more time.
    for (let timeoutMs = 300; !(existsSync(file) && readFileSync(file, 'utf8').endsWith('\n')); timeoutMs *= 4) {
      const running = runTool(shell(`sleep 100 & echo $! > ${file}; wait`), { signal: live(), timeoutMs });
      await expect(running).rejects.toMatchObject({ code: 'TIMEOUT' });
    }
    expect(await isGoneSoon(await pidIn(file))).toBe(true);
  });

  it('says why a program cannot be started', async () => {
    const end = await runTool({ program: join(folder, 'none'), args: [] }, { signal: live() });
    expect(end.exitCode).toBe(127);
  });
});

describe('outputOf', () => {
  const read = async (script: string, signal = live()) => {
    const tool = startTool(shell(script), signal);
    tool.endInput();
    let text = '';
    for await (const chunk of outputOf(tool, { signal, failure: (end) => new Error(describeEnd(end)) })) {
      text += Buffer.from(chunk).toString();
    }
    return text;
  };

  it('ends well only when the tool did', async () => {
    expect(await read('echo all')).toBe('all\n');
    await expect(read('echo half; echo "disk gone" >&2; exit 1')).rejects.toThrow('disk gone (exit code 1)');
    await expect(read('echo half; kill -KILL $$')).rejects.toThrow('it was ended by SIGKILL');
  });

  it('kills the tool when the reader stops or the run is cancelled', async () => {
    const file = join(folder, 'pid');
    const signal = live();
    const tool = startTool(shell(`echo $$ > ${file}; yes`), signal);
    for await (const _ of outputOf(tool, { signal, failure: () => new Error() })) break;
    expect(await isGoneSoon(await pidIn(file))).toBe(true);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    await expect(read('sleep 100', abort.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

it.runIf(process.platform === 'linux')('a tool ends with the thread that started it', async () => {
  const file = join(folder, 'pid');
  const module = new URL('./processes.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(module)}).then(({ startTool }) =>
    startTool({ program: '/bin/sh', args: ['-c', 'echo $$ > ${file}; exec sleep 100'] }, new AbortController().signal))`;
  const worker = new Worker(code, { eval: true });
  const pid = await pidIn(file);
  expect(isRunning(pid)).toBe(true);
  await worker.terminate();
  expect(await isGoneSoon(pid)).toBe(true);
});

it('what a killed program has split off goes with it', async () => {
  const file = join(folder, 'child');
  // It would keep the output open, and the test waiting, for longer than any test may take.
  const tool = startTool(shell(`sleep 3600 & echo $! > ${file}; kill -9 $$`), live());
  const child = await pidIn(file);
  onTestFailed(() => {
    if (isRunning(child)) process.kill(child, 'SIGKILL');
  });
  expect(await tool.ended).toMatchObject({ signal: 'SIGKILL' });
  expect(await isGoneSoon(child)).toBe(true);
});

it('secrets lie in a folder for us alone, and leftovers of the dead are removed', () => {
  const first = new SecretFolder(folder);
  const path = first.write('pass', 'word');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(first.path).mode & 0o777).toBe(0o700);
  const dead = mkdtempSync(join(folder, 'secrets-1.999999999999-'));
  writeFileSync(join(dead, 'pass'), 'old');
  // In a folder of the whole machine others have names of their own.
  const ofOthers = ['secrets-of-mine', 'secrets-2024-backup', 'secrets-1.5-old'];
  for (const name of ofOthers) mkdirSync(join(folder, name));
  const second = new SecretFolder(folder);
  const own = [first.path, second.path].map((one) => one.slice(folder.length + 1));
  expect(readdirSync(folder).sort()).toEqual([...own, ...ofOthers].sort());
  first.remove();
  second.remove();
  expect(readdirSync(folder).sort()).toEqual(ofOthers.toSorted());
});

it('what a program has split off ends with the leftovers of who started it', async () => {
  const dead = mkdtempSync(join(folder, 'secrets-1.999999999999-'));
  const left = spawn('/bin/sleep', ['100'], { env: { HOME: join(dead) }, stdio: 'ignore' });
  const other = spawn('/bin/sleep', ['100'], { env: { HOME: `${dead}x` }, stdio: 'ignore' });
  try {
    const gone = new Promise((resolve) => left.once('exit', (_, signal) => resolve(signal)));
    new SecretFolder(folder).remove();
    expect(await gone).toBe('SIGKILL');
    expect(other.exitCode ?? other.signalCode).toBeNull();
  } finally {
    left.kill('SIGKILL');
    other.kill('SIGKILL');
  }
});

it('what an ended thread left of its secrets is removed, and nothing else', () => {
  const ours = new SecretFolder(folder);
  const left = ours.path.replace(/\.t\d+-/, '.t12345-');
  const other = ours.path.replace(/\.t\d+-/, '.t123456-');
  for (const path of [left, other]) mkdirSync(path);
  removeSecretsOf(folder, 12345);
  expect(readdirSync(folder).sort()).toEqual([ours.path, other].map((path) => path.slice(folder.length + 1)).sort());
  // All of this process: a new folder leaves them.
  new SecretFolder(folder).remove();
  expect(existsSync(other)).toBe(true);
  expect(() => removeSecretsOf(join(folder, 'gone'), 1)).not.toThrow();
});

it('finds programs by name, in given folders first', () => {
  writeFileSync(join(folder, 'sh'), '', { mode: 0o755 });
  expect(findTool(['nothing-like-this', 'sh'], [folder])).toBe(join(folder, 'sh'));
  expect(findTool(['nothing-like-this'])).toBeNull();
});

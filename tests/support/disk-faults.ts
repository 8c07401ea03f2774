/**
 * Loaded before anything else into every thread of a process under test (`--import`): makes the disk below
 * `FAULT_FOLDER` fail on purpose, as the environment says:
 *
 * - `FAULT_KILL_AT=n`: the process is killed with SIGKILL at the n-th change of a directory (a rename into place or an
 *   unlink), just before it when n is odd, just after it when n is even; so every step of a run can be hit exactly.
 * - `FAULT_KILL_AFTER=text`: only changes that follow a rename to a path with this text count for `FAULT_KILL_AT`.
 * - `FAULT_COUNT_FILE=path`: each change adds a byte to this file.
 * - `FAULT_LOSE=text`: a file whose path holds this text vanishes once it was put in place, though all went well.
 * - `FAULT_SHORT_READS=1`: reads bring fewer bytes than asked for, as a network file system may.
 * - `FAULT_FAST_CLOCK=n`: monotonic time runs n times as fast, so that what is done every ten minutes is done now.
 * - `FAULT_CLOCK_OFFSET_MS=n`: the wall clock is off by this.
 *
 * What a thread does counts for that thread alone; all changes of a repository come from one.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const env = process.env;
const folder = env.FAULT_FOLDER ?? '/nonexistent';
const killAt = Number(env.FAULT_KILL_AT ?? 0);
const isOurs = (path: fs.PathLike): boolean => String(path).startsWith(folder);

let changes = 0;
let isCounting = !env.FAULT_KILL_AFTER;
/** Runs one change; dies before or after it when its turn has come. */
async function change<T>(run: () => Promise<T>): Promise<T> {
  const turn = isCounting ? ++changes : 0;
  if (env.FAULT_COUNT_FILE) fs.appendFileSync(env.FAULT_COUNT_FILE, '.');
  if (turn * 2 - 1 === killAt) process.kill(process.pid, 'SIGKILL');
  const result = await run();
  if (turn > 0 && turn * 2 === killAt) process.kill(process.pid, 'SIGKILL');
  return result;
}

const { rename, unlink, open } = fs.promises;
fs.promises.rename = async (from, to) => {
  if (!isOurs(to)) return rename(from, to);
  await change(() => rename(from, to));
  if (env.FAULT_KILL_AFTER && String(to).includes(env.FAULT_KILL_AFTER)) isCounting = true;
  if (env.FAULT_LOSE && String(to).includes(env.FAULT_LOSE)) await unlink(to);
};
fs.promises.unlink = (path) => (isOurs(path) ? change(() => unlink(path)) : unlink(path));

if (env.FAULT_SHORT_READS) {
  fs.promises.open = async (path, ...more) => {
    const file = await open(path, ...more);
    if (!isOurs(path)) return file;
    const read = file.read.bind(file) as (
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number | null,
    ) => ReturnType<typeof file.read>;
    const readLess = (buffer: Uint8Array, offset: number, length: number, position: number | null) =>
      read(buffer, offset, Math.max(1, length >> 1), position);
    return Object.assign(file, { read: readLess });
  };
}
syncBuiltinESMExports();

const speed = Number(env.FAULT_FAST_CLOCK ?? 1);
if (speed !== 1) {
  const now = performance.now.bind(performance);
  performance.now = () => now() * speed;
}
const offsetMs = Number(env.FAULT_CLOCK_OFFSET_MS ?? 0);
if (offsetMs !== 0) {
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args) =>
      args.length === 0 ? new target(target.now() + offsetMs) : Reflect.construct(target, args),
    get: (target, key) => (key === 'now' ? () => target.now() + offsetMs : Reflect.get(target, key)),
  });
}

/**
 * A throw-away S3 server for tests: Ceph's RADOS Gateway with one monitor and one memory-backed OSD, on loopback only,
 * from Debian's packages (`tests/install-peers.sh`). Checks signatures, knows multipart, ranges and paging.
 * Up in about 12 s; everything runs as children of the test process and dies with it.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { S3Connection } from '../../packages/engine/src/storages/s3/connection.ts';
import { atExit } from '../support/at-exit.ts';
import { freePort } from '../support/start-program.ts';

const run = promisify(execFile);
const START_LIMIT_MS = 90_000;
const STEP_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 5_000;

export interface RadosGateway {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
  /** Kills the gateway alone, as a crash would; the data stays until `stop`. */
  killGateway(): Promise<void>;
  /** Starts the gateway again on the same port. */
  startGateway(): Promise<void>;
  /** Stops all daemons and removes their folder. */
  stop(): Promise<void>;
}

interface Layout {
  readonly folder: string;
  readonly port: number;
  readonly conf: string;
  readonly fsid: string;
  readonly osdId: string;
  readonly monAddress: string;
}

/** Starts a server with one empty bucket. */
export async function startRadosGateway(): Promise<RadosGateway> {
  const layout = await createLayout();
  const daemons = new Set<ChildProcess>();
  const killAll = () => {
    for (const daemon of daemons) daemon.kill('SIGKILL');
    rmSync(layout.folder, { recursive: true, force: true });
  };
  const forget = atExit(killAll);
  const stop = async () => {
    await Promise.all([...daemons].map(killDaemon));
    killAll();
    forget();
  };
  const secrets = {
    accessKeyId: `AK${randomBytes(8).toString('hex')}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const endpoint = `http://127.0.0.1:${layout.port}`;
  let gateway: ChildProcess;
  const startGateway = async () => {
    gateway = startDaemon(layout, daemons, ['radosgw', '-n', 'client.admin']);
    await waitUntilServing(endpoint, gateway, layout);
  };
  try {
    await startCluster(layout, daemons, secrets);
    await startGateway();
    const bucket = 'conformance';
    await createBucket({ endpoint, bucket, ...secrets });
    return { endpoint, bucket, ...secrets, killGateway: () => killDaemon(gateway), startGateway, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function createLayout(): Promise<Layout> {
  const folder = await mkdtemp(path.join(tmpdir(), 'backupx-radosgw-'));
  for (const name of ['mon', 'osd/0', 'rgw', 'run']) mkdirSync(path.join(folder, name), { recursive: true });
  const [port, mon2, mon1] = [await freePort(), await freePort(), await freePort()];
  const layout: Layout = {
    folder,
    port,
    conf: path.join(folder, 'ceph.conf'),
    fsid: randomUUID(),
    osdId: randomUUID(),
    monAddress: `v2:127.0.0.1:${mon2},v1:127.0.0.1:${mon1}`,
  };
  writeFileSync(layout.conf, configText(layout));
  return layout;
}

function configText({ folder, port, fsid, monAddress }: Layout): string {
  return `[global]
fsid = ${fsid}
mon initial members = a
mon host = ${monAddress}
auth cluster required = none
auth service required = none
auth client required = none
# Without authentication the gateway hangs for minutes unless this is crc.
ms mon client mode = crc
ms bind ipv6 = false
run dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
log file = ${folder}/run/$name.log
mon cluster log file = ${folder}/run/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
[mon.a]
mon data = ${folder}/mon
[osd]
osd data = ${folder}/osd/$id
osd objectstore = memstore
memstore device bytes = 4294967296
public addr = 127.0.0.1
cluster addr = 127.0.0.1
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw data = ${folder}/rgw
rgw enable apis = s3
rgw thread pool size = 32
`;
}

async function startCluster(
  layout: Layout,
  daemons: Set<ChildProcess>,
  secrets: { accessKeyId: string; secretAccessKey: string },
): Promise<void> {
  const step = (command: string, ...args: string[]) => run(command, args, { timeout: STEP_LIMIT_MS });
  const conf = ['-c', layout.conf];
  const monmap = path.join(layout.folder, 'monmap');
  await step('monmaptool', '--create', '--fsid', layout.fsid, '--addv', 'a', `[${layout.monAddress}]`, monmap);
  await step('ceph-mon', ...conf, '--mkfs', '-i', 'a', '--monmap', monmap, ...staySelf());
  startDaemon(layout, daemons, ['ceph-mon', '-i', 'a']);
  await step('ceph', ...conf, 'osd', 'new', layout.osdId, '0');
  await step('ceph-osd', ...conf, '-i', '0', '--mkfs', '--osd-uuid', layout.osdId, ...staySelf());
  startDaemon(layout, daemons, ['ceph-osd', '-i', '0']);
  const keys = ['--access-key', secrets.accessKeyId, '--secret-key', secrets.secretAccessKey];
  await step('radosgw-admin', ...conf, 'user', 'create', '--uid', 'tests', '--display-name', 'tests', ...keys);
}

/** As root the daemons would become the user `ceph`, who may not enter our folder. */
const staySelf = (): string[] => (process.getuid?.() === 0 ? ['--setuser', 'root', '--setgroup', 'root'] : []);

/** Starts a daemon in the foreground; the kernel kills it when this process dies, however it dies. */
function startDaemon(layout: Layout, daemons: Set<ChildProcess>, [command = '', ...args]: string[]): ChildProcess {
  const all = ['--pdeathsig', 'KILL', command, '-f', '-c', layout.conf, ...args, ...staySelf()];
  const daemon = spawn('setpriv', all, { stdio: 'ignore' });
  daemons.add(daemon);
  daemon.once('close', () => daemons.delete(daemon));
  daemon.once('error', () => daemons.delete(daemon));
  return daemon;
}

/** Kills one daemon and waits for its end. */
async function killDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const closed = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
  daemon.kill('SIGKILL');
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS).unref())]);
}

async function waitUntilServing(endpoint: string, gateway: ChildProcess, layout: Layout): Promise<void> {
  const deadlineMs = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadlineMs && gateway.exitCode === null) {
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer) return;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const log = path.join(layout.folder, 'run', 'client.admin.log');
  throw new Error(`radosgw did not come up; its log ends with:\n${readTail(log)}`);
}

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-2_000);
  } catch {
    return '(no log)';
  }
}

async function createBucket(at: {
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}): Promise<void> {
  const connection = new S3Connection({ ...at, region: 'us-east-1', forcePathStyle: true });
  try {
    const { client, sdk } = await connection.open();
    const abortSignal = AbortSignal.timeout(STEP_LIMIT_MS);
    await client.send(new sdk.CreateBucketCommand({ Bucket: at.bucket }), { abortSignal });
  } finally {
    await connection.close();
  }
}

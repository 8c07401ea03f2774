/**
 * An agent as it runs in the field (protocol 1), rebuilt from its behaviour on the wire: heartbeat every 15 s, a poll
 * every 5 s without a body, one command at a time inside the poll loop, one request per log line, every result and
 * closing report sent exactly once, no redirects, no protocol header. The intervals can be shortened for tests.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

export interface LegacyAgentOptions {
  readonly masterUrl: string;
  readonly token: string;
  readonly hostname?: string;
  readonly ipAddress?: string;
  readonly heartbeatMs?: number;
  readonly pollMs?: number;
  /** Called at each step of a command; a test kills the agent by throwing `AgentKilled` here. */
  readonly at?: (step: string) => void | Promise<void>;
}

/** The process is gone: nothing more is sent, not even a failure report. */
export class AgentKilled extends Error {}

interface Command {
  readonly id: number;
  readonly type: string;
  readonly payload: Record<string, never>;
}

interface SpecTarget {
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly config: { basePath?: string };
  readonly transferMode: string;
}

interface TaskSpec {
  readonly taskId: number;
  readonly name: string;
  readonly type: string;
  readonly sourcePath: string;
  readonly sourcePaths: string;
  readonly compression: string;
  readonly encrypt: boolean;
  readonly storageTargets: SpecTarget[];
}

export interface LegacyAgent {
  heartbeat(): Promise<{ status: string; nodeId: number; name: string }>;
  /** One round of the poll loop; answers the type of the command that was worked on, or null. */
  pollOnce(): Promise<string | null>;
  /** Both loops, until `stop`. */
  start(): void;
  stop(): Promise<void>;
  /** One raw request; answers status and the whole envelope. */
  request(method: string, path: string, body?: unknown): Promise<{ status: number; json: Envelope }>;
}

export interface Envelope {
  readonly code: string;
  readonly message: string;
  readonly data?: never;
}

export function createLegacyAgent(options: LegacyAgentOptions): LegacyAgent {
  const at = options.at ?? (() => undefined);
  let stopped = false;
  const timers: NodeJS.Timeout[] = [];
  let working: Promise<unknown> = Promise.resolve();

  async function request(method: string, path: string, body?: unknown) {
    const answer = await fetch(`${options.masterUrl}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        'x-agent-token': options.token,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(120_000),
    });
    return { status: answer.status, json: (await answer.json()) as Envelope };
  }

  /** The envelope is unwrapped; anything but 2xx is an error with the body as text. */
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, json } = await request(method, path, body);
    if (status < 200 || status >= 300) throw new Error(`${method} ${path}: http ${status}: ${JSON.stringify(json)}`);
    return json.data as T;
  }

  const update = (recordId: number, fields: object) => call('POST', `/api/agent/records/${recordId}`, fields);
  const appendLog = (recordId: number, line: string) => update(recordId, { logAppend: line }).catch(() => undefined);

  async function fail(recordId: number, message: string): Promise<void> {
    const logAppend = `[agent] error: ${message}\n`;
    await update(recordId, { status: 'failed', errorMessage: message, logAppend }).catch(() => undefined);
  }

  async function upload(recordId: number, target: SpecTarget, artifact: Artifact): Promise<void> {
    if (target.transferMode !== 'master_relay') {
      const path = join(target.config.basePath ?? '', artifact.storagePath);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, artifact.bytes);
      return;
    }
    const answer = await fetch(`${options.masterUrl}/api/agent/records/${recordId}/artifacts/${target.id}`, {
      method: 'PUT',
      redirect: 'manual',
      headers: {
        'content-type': 'application/octet-stream',
        'x-agent-token': options.token,
        'x-backupx-object-key': artifact.storagePath,
        'x-backupx-sha256': artifact.checksum,
      },
      body: new Uint8Array(artifact.bytes),
    });
    if (!answer.ok) throw new Error(`relay artifact to Master: http ${answer.status}: ${await answer.text()}`);
  }

  async function runTask(taskId: number, recordId: number): Promise<void> {
    await at('claimed');
    const spec = await call<TaskSpec>('GET', `/api/agent/tasks/${taskId}`);
    if (spec.encrypt) throw new Error('the agent does not support encrypted backups');
    await appendLog(recordId, `[agent] running task ${spec.name} (type=${spec.type})\n`);
    await at('running');
    const artifact = await packFolder(spec, recordId, (line) => appendLog(recordId, line));
    await at('packed');
    const results: object[] = [];
    let selected = 0;
    for (const target of spec.storageTargets) {
      const { id: storageTargetId, name: storageTargetName, transferMode } = target;
      const item = { storageTargetId, storageTargetName, transferMode };
      try {
        await upload(recordId, target, artifact);
        selected ||= storageTargetId;
        const { storagePath, fileSize } = artifact;
        results.push({ ...item, status: 'success', storagePath, fileSize });
        await appendLog(recordId, `[agent] uploaded to ${target.name}\n`);
      } catch (error) {
        results.push({ ...item, status: 'failed', error: String(error) });
      }
    }
    await at('uploaded');
    if (selected === 0) throw new Error(`all uploads failed: ${JSON.stringify(results)}`);
    const { bytes: _bytes, ...facts } = artifact;
    await update(recordId, {
      status: 'success',
      ...facts,
      storageTargetId: selected,
      storageTransferMode: spec.storageTargets.find((target) => target.id === selected)?.transferMode,
      storageUploadResults: results,
      logAppend: `[agent] done, ${artifact.fileSize} bytes\n`,
    });
    await at('reported');
  }

  async function execute(command: Command): Promise<unknown> {
    const payload = command.payload as Record<string, unknown>;
    if (command.type === 'list_dir') return { entries: await listFolder(String(payload.path)) };
    if (command.type === 'delete_storage_object') {
      const { targetConfig, storagePath } = payload as { targetConfig: { basePath: string }; storagePath: string };
      await rm(join(targetConfig.basePath, storagePath), { force: true });
      return { deleted: true };
    }
    if (command.type === 'run_task') {
      const { taskId, recordId } = payload as { taskId: number; recordId: number };
      try {
        await runTask(taskId, recordId);
      } catch (error) {
        if (!(error instanceof AgentKilled)) await fail(recordId, (error as Error).message);
        throw error;
      }
      return { taskId, recordId };
    }
    if (command.type === 'restore_record') {
      const { restoreRecordId } = payload as { restoreRecordId: number };
      await runRestore(restoreRecordId);
      return { restoreRecordId };
    }
    throw new Error(`unknown command type: ${command.type}`);
  }

  async function runRestore(restoreRecordId: number): Promise<void> {
    const path = `/api/agent/restores/${restoreRecordId}`;
    const spec = await call<{ storage: SpecTarget; storagePath: string; checksum?: string; sourcePath: string }>(
      'GET',
      `${path}/spec`,
    );
    await at('restore-spec');
    const bytes = await download(restoreRecordId, spec);
    if (spec.checksum && sha256(bytes) !== spec.checksum) throw new Error('checksum mismatch');
    await call('POST', path, { logAppend: '[agent] checksum is right\n' });
    await unpack(bytes, dirname(spec.sourcePath));
    await call('POST', path, { status: 'success', logAppend: '[agent] restored\n' });
  }

  async function download(id: number, spec: { storage: SpecTarget; storagePath: string }): Promise<Buffer> {
    if (spec.storage.transferMode !== 'master_relay') {
      return await readFile(join(spec.storage.config.basePath ?? '', spec.storagePath));
    }
    const headers = { 'x-agent-token': options.token };
    const answer = await fetch(`${options.masterUrl}/api/agent/restores/${id}/artifact`, { headers });
    if (!answer.ok) throw new Error(`download relayed artifact: http ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  }

  async function report(command: Command, body: object): Promise<void> {
    await at('result');
    await call('POST', `/api/agent/commands/${command.id}/result`, body).catch(() => undefined);
  }

  const agent: LegacyAgent = {
    request,
    heartbeat: () =>
      call('POST', '/api/agent/heartbeat', {
        token: options.token,
        hostname: options.hostname ?? 'legacy',
        ipAddress: options.ipAddress ?? '10.0.0.7',
        agentVersion: '3.2.0',
        os: 'linux',
        arch: 'amd64',
      }),
    async pollOnce() {
      const { command } = await call<{ command: Command | null }>('POST', '/api/agent/commands/poll');
      if (!command) return null;
      try {
        const result = await execute(command);
        await report(command, { success: true, errorMessage: '', result });
      } catch (error) {
        if (error instanceof AgentKilled) throw error;
        await report(command, { success: false, errorMessage: (error as Error).message });
      }
      return command.type;
    },
    start() {
      const beat = () => agent.heartbeat().catch(() => undefined);
      void beat();
      timers.push(setInterval(beat, options.heartbeatMs ?? 15_000));
      const poll = async () => {
        if (stopped) return;
        await agent.pollOnce().catch(() => undefined);
        timers.push(setTimeout(() => (working = poll()), options.pollMs ?? 5_000));
      };
      timers.push(setTimeout(() => (working = poll()), options.pollMs ?? 5_000));
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      await working;
    },
  };
  return agent;
}

interface Artifact {
  readonly fileName: string;
  readonly fileSize: number;
  readonly checksum: string;
  readonly storagePath: string;
  readonly bytes: Buffer;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Tar first, gzip after, whole in memory here; the key is the one agents in the field build. */
async function packFolder(
  spec: TaskSpec,
  recordId: number,
  log: (line: string) => Promise<unknown>,
): Promise<Artifact> {
  const [path = spec.sourcePath] = spec.sourcePaths.split('\n').filter(Boolean);
  const flags = spec.compression === 'gzip' ? '-czf' : '-cf';
  const folder = await mkdtemp(join(tmpdir(), 'legacy-agent-'));
  try {
    const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_');
    const fileName = `${spec.name}_${stamp}.tar${spec.compression === 'gzip' ? '.gz' : ''}`;
    await log(`packing ${path}\n`);
    await runTar([flags, join(folder, fileName), '-C', dirname(path), basename(path)]);
    const bytes = await readFile(join(folder, fileName));
    const storagePath = `BackupX/${spec.type}/${stamp.slice(2, 8)}/records/${recordId}/${fileName}`;
    return { fileName, fileSize: bytes.length, checksum: sha256(bytes), storagePath, bytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function unpack(bytes: Buffer, into: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'legacy-agent-'));
  try {
    await writeFile(join(folder, 'artifact'), bytes);
    await runTar(['-xf', join(folder, 'artifact'), '-C', into]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function runTar(args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('tar', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`tar: ${errors}`))));
  });
}

async function listFolder(path: string) {
  const names = await readdir(path, { withFileTypes: true });
  const entries = await Promise.all(
    names.map(async (item) => {
      const full = join(path, item.name);
      const size = item.isFile() ? (await stat(full)).size : 0;
      return { name: item.name, path: full, isDir: item.isDirectory(), size };
    }),
  );
  return entries.sort((a, b) => Number(b.isDir) - Number(a.isDir) || a.name.localeCompare(b.name));
}

/** Says that the agent is alive, learns what the master knows and wants. Runs for ever, whatever the master does. */
import { arch, hostname, networkInterfaces, platform } from 'node:os';
import { type HeartbeatBody, heartbeatOutputSchema } from '@backupx/contracts/agent-protocol';
import { architectureName } from '@backupx/contracts/architecture-name';
import { AppError } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import { type Backoff, createBackoff } from './backoff.ts';
import type { AgentLogger } from './logger.ts';
import { type MasterConnection, MasterError } from './master-connection.ts';
import type { OutageLog } from './outage-log.ts';
import type { MasterSession } from './session.ts';

export interface HeartbeatOptions {
  readonly connection: MasterConnection;
  readonly session: MasterSession;
  readonly clock: Clock;
  readonly logger: AgentLogger;
  readonly outage: OutageLog;
  readonly identity: Pick<HeartbeatBody, 'instanceId' | 'bootId' | 'agentVersion' | 'capabilities'>;
  readonly activeCommandIds: () => number[];
  readonly onCancel: (commandIds: readonly number[]) => void;
}

/** An unknown token is usually a wrong setting: slow, but the master may yet be restored from its backup. */
const refusedWaitMs = 30_000;
/** The last beat may not hold up the end of the process. */
const lastBeatMs = 1500;

/** Beats until `signal` is aborted. */
export async function runHeartbeatLoop(options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const { clock } = options;
  const backoff = createBackoff();
  while (!signal.aborted) {
    const waitMs = await beatOnce(options, backoff, signal);
    await clock.sleep(waitMs * (0.9 + 0.2 * Math.random()), signal).catch(() => {});
  }
}

/** Milliseconds until the next beat. */
async function beatOnce(options: HeartbeatOptions, backoff: Backoff, signal: AbortSignal): Promise<number> {
  const { session, outage } = options;
  try {
    await beat(options, signal);
    backoff.reset();
    outage.recovered();
    return session.heartbeatMs;
  } catch (error) {
    if (signal.aborted) return 0;
    outage.failed('heartbeat', error as Error);
    if (!(error instanceof MasterError)) return backoff.next();
    const waitMs = backoff.next(error.retryAfterMs);
    if (error.httpStatus !== 401 && error.httpStatus !== 403) return waitMs;
    session.isAccepted = false;
    return Math.max(refusedWaitMs, waitMs);
  }
}

/** Tells the master that this stop is planned; failing is harmless. */
export async function sayGoodbye(options: HeartbeatOptions): Promise<void> {
  const body = { ...describe(options), stopping: true };
  await options.connection.call('POST', '/api/agent/heartbeat', { body, timeoutMs: lastBeatMs }).catch(() => {});
}

async function beat(options: HeartbeatOptions, signal: AbortSignal): Promise<void> {
  const { connection, session, logger } = options;
  const answer = await connection.call('POST', '/api/agent/heartbeat', { body: describe(options), signal });
  const parsed = heartbeatOutputSchema.safeParse(answer);
  if (!parsed.success)
    throw new AppError('MASTER_WRONG_CONTENT', { url: connection.masterUrl }, { cause: parsed.error });
  const { nodeId, name, protocol = 1, heartbeatMs, pollMs, cancelCommandIds } = parsed.data;
  if (!session.isAccepted || session.nodeId !== nodeId) {
    logger.info({ nodeId, name, protocol, master: connection.masterUrl }, `connected as "${name}"`);
  }
  session.isAccepted = true;
  session.protocol = protocol;
  session.nodeId = nodeId;
  session.nodeName = name;
  if (heartbeatMs) session.heartbeatMs = Math.max(1000, heartbeatMs);
  if (pollMs) session.pollMs = Math.max(500, pollMs);
  if (cancelCommandIds) options.onCancel(cancelCommandIds);
}

function describe(options: HeartbeatOptions): HeartbeatBody {
  return {
    hostname: hostname(),
    ipAddress: localAddress(),
    os: platform() === 'win32' ? 'windows' : platform(),
    // The words of agents in the field.
    arch: architectureName(arch()),
    ...options.identity,
    activeCommandIds: options.activeCommandIds().slice(0, 1000),
  };
}

/** First IPv4 address that other machines may know; '' when there is none. */
function localAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((address) => !address.internal && address.family === 'IPv4')?.address ?? '';
}

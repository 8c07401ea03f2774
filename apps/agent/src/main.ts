/**
 * The agent: runs the engine's jobs on this machine under the direction of a master it reaches over HTTP.
 *
 * `runAgent` reads the settings, opens the state folder and starts two loops: heartbeats (`heartbeat-loop`) and
 * commands (`command-loop`). Long work lives on the `work-floor`, which journals it, reports it (`remote-reporter`)
 * and delivers its result until acknowledged (`result-delivery`). Nothing a master does or fails to do ends the agent.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { agentTimings, type HeartbeatBody } from '@backupx/contracts/agent-protocol';
import { backupModeSchema } from '@backupx/contracts/api/tasks';
import { AppError } from '@backupx/contracts/errors';
import { jobLanes } from '@backupx/contracts/jobs';
import { type Clock, systemClock } from '@backupx/engine/ports/clock';
import type { Engine, EngineOptions } from '@backupx/engine/ports/engine';
import { type CommandLoopOptions, runCommandLoop } from './command-loop.ts';
import { type AgentConfig, type AgentFlags, loadAgentConfig } from './config.ts';
import { type HeartbeatOptions, runHeartbeatLoop, sayGoodbye } from './heartbeat-loop.ts';
import { openJournal } from './journal.ts';
import { type AgentLogger, createLogger } from './logger.ts';
import { createMasterConnection } from './master-connection.ts';
import { createOutageLog } from './outage-log.ts';
import { createSession, type MasterSession } from './session.ts';
import { openStateFolder } from './state-folder.ts';
import { createWorkFloor, type WorkFloor } from './work-floor.ts';

export type { AgentFlags } from './config.ts';

export interface AgentOptions {
  readonly flags: AgentFlags;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Default: the real engine. */
  readonly createEngine?: (options: EngineOptions) => Engine | Promise<Engine>;
  readonly clock?: Clock;
  readonly logger?: AgentLogger;
  /** Whole time `stop` may take, milliseconds. */
  readonly drainMs?: number;
}

export interface RunningAgent {
  /** What the last heartbeat said. */
  readonly session: Readonly<MasterSession>;
  /** Stops claiming, lets work finish or reports it as interrupted, says goodbye; within the drain time. */
  stop(): Promise<void>;
}

/** Starts the agent; resolves when its loops run, whether or not the master answers. Throws `CONFIG_INVALID`. */
export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const config = loadAgentConfig(options.flags, options.environment);
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? createLogger(config.token);
  for (const warning of config.warnings) logger.warn(warning);
  const state = await openStateFolder(config.stateDir);
  const connection = createMasterConnection(config);
  const session = createSession(config.heartbeatMs, config.pollMs);
  const engine = await startEngine(config, session, options.createEngine);
  const outage = createOutageLog(logger, clock);
  const context = { engine, connection, session, clock, logger, journal: openJournal(state.journalDir) };
  const floor = createWorkFloor({ ...context, spoolDir: state.spoolDir, maxConcurrent: config.maxConcurrent });
  const claiming = new AbortController();
  const living = new AbortController();
  const openQuestions = new Set<number>();

  const heartbeat: HeartbeatOptions = {
    ...context,
    outage,
    identity: {
      agentVersion: readVersion(),
      instanceId: state.instanceId,
      bootId: randomUUID(),
      capabilities: capabilitiesOf(engine),
    },
    activeCommandIds: () => [...floor.activeIds, ...openQuestions],
    onCancel: (ids) => {
      for (const id of ids) floor.cancel(id, 'the master asked to stop it');
    },
  };
  const commands: CommandLoopOptions = {
    ...context,
    outage,
    floor,
    openQuestions,
    delivery: { ...context, signal: living.signal },
  };

  logger.info({ master: config.masterUrl, stateDir: config.stateDir }, 'agent started');
  floor.resume();
  const beating = runHeartbeatLoop(heartbeat, living.signal);
  const polling = runCommandLoop(commands, claiming.signal);

  let stopping: Promise<void> | null = null;
  async function shutDown(): Promise<void> {
    logger.info('stopping: no more commands are taken');
    claiming.abort();
    await polling;
    await drain(floor, options.drainMs ?? agentTimings.drainMs);
    living.abort();
    await beating;
    await sayGoodbye(heartbeat);
    await engine.close(1000);
    await connection.close();
    state.release();
    logger.info('agent stopped');
  }

  return {
    session,
    stop() {
      stopping ??= shutDown();
      return stopping;
    },
  };
}

/** Two thirds of the time to finish, then interrupted, the rest to say so. */
async function drain(floor: WorkFloor, drainMs: number): Promise<void> {
  if (await within(floor.whenIdle(), drainMs * 0.66)) await within(floor.whenDelivered(), drainMs * 0.2);
  else {
    floor.interruptAll(drainMs * 0.08);
    await within(floor.whenIdle(), drainMs * 0.1);
    await within(floor.whenDelivered(), drainMs * 0.14);
  }
  floor.stopDelivering();
}

/** True when `work` ended within `ms`. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return Promise.race([work.then(() => true as const), timeout]).finally(() => clearTimeout(timer));
}

async function startEngine(
  config: AgentConfig,
  session: MasterSession,
  create: AgentOptions['createEngine'],
): Promise<Engine> {
  try {
    mkdirSync(config.tempDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const problems = `tempDir ${config.tempDir}: ${(cause as Error).message}`;
    throw new AppError('CONFIG_INVALID', { problems }, { cause });
  }
  const engineOptions: EngineOptions = {
    tempDir: config.tempDir,
    storagePatienceMs: config.storagePatienceMs,
    ...(config.threads > 0 && { compressionParallelism: config.threads }),
    nice: config.nice,
    relay: () => ({
      masterUrl: config.masterUrl,
      token: config.token,
      proxyUrl: config.proxyUrl ?? undefined,
      caCertificate: config.caCertificate ?? undefined,
      insecureTls: config.insecureTls,
      needsKnownSize: session.protocol < 2,
    }),
  };
  if (create) return create(engineOptions);
  const { createEngine } = await import('@backupx/engine');
  return createEngine(engineOptions);
}

function capabilitiesOf(engine: Engine): NonNullable<HeartbeatBody['capabilities']> {
  return {
    // Agents before verifications knew the job, but not the command.
    jobs: [...Object.keys(jobLanes), 'run_verification'],
    modes: [...backupModeSchema.options],
    sources: engine.manifests.sources.map((manifest) => manifest.type),
    storages: engine.manifests.storages.map((manifest) => manifest.type),
  };
}

function readVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * A node on another machine, seen from dispatch: work is queued for it, questions are asked of it, its polls are
 * answered. Waiting costs nothing: polls sleep on a bell, questions on a promise; nobody asks the database in a loop.
 */
import { AGENT_PROTOCOL_VERSION, type AgentCommand, agentTimings } from '@backupx/contracts/agent-protocol';
import { AppError } from '@backupx/contracts/errors';
import type { JobResults, Lane } from '@backupx/contracts/jobs';
import type { Clock } from '@backupx/engine/ports/clock';
import { type CommandRow, commandsStore, type NewCommand } from '../stores/commands.store.ts';
import { WORK_EXPIRES_MS } from './command-ends.ts';
import type { CommandLifecycle } from './command-lifecycle.ts';
import { refOf } from './live-commands.ts';
import type { Answer, OpenQuestions } from './open-questions.ts';
import type { PollBell } from './poll-bell.ts';
import type { CommandQueue, ControlJob, Db, NodeDirectory } from './ports.ts';
import { type AgentQuestion, answerError, questionsFor, readAnswers } from './questions-for-agents.ts';

/** Objects of one deletion that are asked for at the same time. */
const QUESTIONS_AT_ONCE = 20;

export interface PollWish {
  readonly nodeId: number;
  readonly protocol: number;
  readonly waitMs: number;
  /** Room in each lane; undefined: one of each. */
  readonly free: { readonly work: number; readonly control: number } | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface RemoteNodes extends CommandQueue {
  /** The next command, or null when there is none within `waitMs`. */
  poll(wish: PollWish): Promise<AgentCommand | null>;
}

interface Options {
  readonly db: Db;
  readonly clock: Clock;
  readonly directory: NodeDirectory;
  readonly lifecycle: CommandLifecycle;
  readonly questions: OpenQuestions;
  readonly bell: PollBell;
}

export function createRemoteNodes(options: Options): RemoteNodes {
  const { clock, directory, lifecycle, questions, bell } = options;
  const after = (ms: number) => new Date(clock.now().getTime() + ms).toISOString();

  /** The command as the agent reads it, or null when nobody waits for its answer any more. */
  async function deliver(row: CommandRow, signal: AbortSignal): Promise<AgentCommand | null> {
    const ref = refOf(row);
    const payload = ref ? questions.payload(ref) : (JSON.parse(row.payload) as Record<string, unknown>);
    if (!payload) {
      await lifecycle.expireQuestion(row.id);
      return null;
    }
    if (signal.aborted) {
      await lifecycle.release(row);
      return null;
    }
    return { id: row.id, type: row.type, payload };
  }

  async function claimNext(
    wish: { nodeId: number; protocol: number; lanes: readonly Lane[] },
    signal: AbortSignal,
  ): Promise<AgentCommand | null> {
    for (;;) {
      const row = await lifecycle.claim(wish);
      if (!row) return null;
      const command = await deliver(row, signal);
      if (command || signal.aborted) return command;
    }
  }

  return {
    async enqueueWork(trx, command) {
      const now = after(0);
      const shared = { nodeId: command.nodeId, lane: 'work' as const, now, expiresAt: after(WORK_EXPIRES_MS) };
      return await commandsStore.insert(trx, { ...shared, ...workOf(command) });
    },

    wake: (nodeId) => bell.ring(nodeId),

    async ask<J extends ControlJob>(nodeId: number, job: J, timeoutMs: number): Promise<JobResults[J['kind']]> {
      const node = await directory.get(nodeId);
      if (!node.isOnline) throw new AppError('NODE_OFFLINE', { node: node.name });
      const seconds = Math.round(timeoutMs / 1000);
      const deadlineMs = clock.monotonicMs() + timeoutMs;
      const wanted = questionsFor(node, job);
      const results: unknown[] = [];
      for (let start = 0; start < wanted.length; start += QUESTIONS_AT_ONCE) {
        const batch = wanted.slice(start, start + QUESTIONS_AT_ONCE);
        for (const answer of await Promise.all(
          batch.map((question) => askOne(options, { nodeId, question, deadlineMs })),
        )) {
          if (answer.kind === 'timeout') throw new AppError('AGENT_COMMAND_TIMEOUT', { node: node.name, seconds });
          if (answer.kind === 'error') throw answerError(node, job, answer.message, answer.code);
          results.push(answer.result);
        }
      }
      return readAnswers(node, job, results);
    },

    cancelRun: (owner, id) => lifecycle.cancelRun(owner, id),

    async poll(wish) {
      const { nodeId, protocol, signal } = wish;
      if (protocol < AGENT_PROTOCOL_VERSION && !(await lifecycle.endUnreported(nodeId))) return null;
      const lanes = lanesOf(wish.free);
      const deadlineMs = clock.monotonicMs() + wish.waitMs;
      const epoch = bell.epoch(nodeId);
      while (!signal.aborted && !bell.isClosed && bell.epoch(nodeId) === epoch) {
        const rings = bell.rings(nodeId);
        const command = await claimNext({ nodeId, protocol, lanes }, signal);
        if (command) return command;
        const left = deadlineMs - clock.monotonicMs();
        if (left <= 0) break;
        await bell.wait(nodeId, rings, left, signal);
      }
      return null;
    },
  };
}

/** How the command of a run is kept: ids only. */
function workOf(command: Parameters<CommandQueue['enqueueWork']>[1]) {
  const { nodeId: _, type, ...ids } = command;
  return { type, payload: ids, ...ids };
}

/** Asks one question; the deadline is shared by all questions of a job. */
async function askOne(
  { db, clock, lifecycle, questions, bell }: Options,
  wish: { nodeId: number; question: AgentQuestion; deadlineMs: number },
): Promise<Answer> {
  const left = wish.deadlineMs - clock.monotonicMs();
  if (left <= 0) return { kind: 'timeout' };
  const { ref, answer } = questions.open(wish.question.payload);
  const now = clock.now();
  const command: NewCommand = {
    nodeId: wish.nodeId,
    type: wish.question.type,
    lane: 'control',
    payload: { ref },
    now: now.toISOString(),
    expiresAt: new Date(now.getTime() + Math.min(left, agentTimings.controlAnswerMs)).toISOString(),
  };
  const id = await commandsStore.insert(db, command).catch((error: unknown) => {
    questions.settle(ref, { kind: 'timeout' });
    throw error;
  });
  bell.ring(wish.nodeId);
  const timer = setTimeout(() => questions.settle(ref, { kind: 'timeout' }), left);
  const result = await answer;
  clearTimeout(timer);
  if (result.kind === 'timeout') await lifecycle.expireQuestion(id);
  return result;
}

function lanesOf(free: PollWish['free']): Lane[] {
  if (!free) return ['control', 'work'];
  const lanes: Lane[] = [];
  if (free.control > 0) lanes.push('control');
  if (free.work > 0) lanes.push('work');
  return lanes;
}

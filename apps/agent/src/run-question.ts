/** Answers the quick commands; each within a minute, none of them remembered over a restart. */
import {
  type AgentCommand,
  type CommandResultBody,
  deleteStorageObjectPayloadSchema,
  discoverDatabasesPayloadSchema,
  listDirPayloadSchema,
} from '@backupx/contracts/agent-protocol';
import { AppError, toAppError } from '@backupx/contracts/errors';
import { browseArtifactJobSchema, type JobKind, jobSchema, testStorageJobSchema } from '@backupx/contracts/jobs';
import type { Engine } from '@backupx/engine/ports/engine';
import { silentReporter } from '@backupx/engine/ports/reporter';
import type { z } from 'zod';
import { sourceSettings } from './build-backup-job.ts';

const questionLimitMs = 60_000;
/** Looking through a whole repository takes its time; somebody waits for it all the same. */
const longQuestionLimitMs = 5 * 60_000;

/** Jobs that may come as a question: they look, or change next to nothing. */
const askableJobs: readonly JobKind[] = [
  'inspect_source',
  'inspect_target',
  'init_repository',
  'list_snapshots',
  'find_in_repository',
  'diff_snapshots',
  'unlock_repository',
  'repository_keys',
];

/** Runs one control command; never rejects, a failure is an answer too. */
export async function runQuestion(
  engine: Engine,
  command: AgentCommand,
  signal: AbortSignal,
): Promise<CommandResultBody> {
  const limitMs = command.type === 'run_job' ? longQuestionLimitMs : questionLimitMs;
  const limit = AbortSignal.timeout(limitMs);
  try {
    const result = await answer(engine, command, AbortSignal.any([signal, limit]));
    return { success: true, result };
  } catch (error) {
    const seconds = limitMs / 1000;
    const failure = limit.aborted ? new AppError('TIMEOUT', { what: command.type, seconds }) : toAppError(error);
    return { success: false, errorMessage: failure.message, errorCode: failure.code };
  }
}

async function answer(engine: Engine, command: AgentCommand, signal: AbortSignal): Promise<unknown> {
  const options = { reporter: silentReporter, signal };
  const payload = command.payload ?? {};
  switch (command.type) {
    case 'list_dir': {
      const { path } = read(listDirPayloadSchema, payload);
      return engine.run({ kind: 'list_directory', path }, options);
    }
    case 'browse_artifact':
      return engine.run(read(browseArtifactJobSchema, { ...payload, kind: 'browse_artifact' }), options);
    case 'test_storage':
      return engine.run(read(testStorageJobSchema, { ...payload, kind: 'test_storage' }), options);
    case 'delete_storage_object': {
      const { targetType, targetConfig, storagePath } = read(deleteStorageObjectPayloadSchema, payload);
      if (storagePath.trim() === '') throw new AppError('STORAGE_INVALID_KEY', { key: storagePath });
      // The command names no target; id and name only serve messages.
      const target = { id: 1, name: targetType, type: targetType, config: targetConfig, viaMaster: false };
      await engine.run({ kind: 'delete_objects', target, keys: [storagePath] }, options);
      return { deleted: true };
    }
    case 'run_job': {
      const job = read(jobSchema, payload);
      if (!askableJobs.includes(job.kind)) throw notKnown(`run_job ${job.kind}`);
      return engine.run(job, options);
    }
    case 'discover_db': {
      const { type, host, port, user, password } = read(discoverDatabasesPayloadSchema, payload);
      const fields = { type, dbHost: host, dbPort: port, dbUser: user, dbPassword: password };
      const found = await engine.run({ kind: 'inspect_source', source: sourceSettings(fields) }, options);
      return { databases: found.databases.map(({ name }) => name) };
    }
    default:
      throw notKnown(command.type);
  }
}

function notKnown(what: string): AppError {
  return new AppError('NOT_SUPPORTED', { what: `The command "${what}"`, hint: 'Update the agent.' });
}

function read<T extends z.ZodType>(schema: T, payload: unknown): z.output<T> {
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const fields = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.'),
    code: issue.code,
    message: issue.message,
  }));
  throw new AppError('INVALID_INPUT', {}, { fields });
}

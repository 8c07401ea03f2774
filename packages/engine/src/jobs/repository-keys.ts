import { hostname } from 'node:os';
import { AppError } from '@backupx/contracts/errors';
import type { RepositoryKeysJob, RepositoryKeysResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import type { Repository } from '../repository/open-repository.ts';
import { ownUser } from '../repository/own-user.ts';
import { addKey, changeKey, listKeys, removeKey } from '../repository/repository-keys.ts';
import type { JobContext } from './job-context.ts';
import { withRepository } from './open-repository-access.ts';

/** Lists, adds, removes or changes keys; answers the keys there are afterwards. Throws INVALID_INPUT besides the usual. */
export function repositoryKeys(job: RepositoryKeysJob, context: JobContext): Promise<RepositoryKeysResult> {
  const lock = job.action === 'list' ? null : 'shared';
  return withRepository(context, job.repository, { lock }, async (repository, signal) => {
    const addedId = await change(job, repository, signal);
    // A changed key is the current one from now on, although the old one opened this repository.
    const keys = await listKeys(repository, signal);
    const currentId = job.action === 'change' ? addedId : repository.keyId;
    return { keys: keys.map((key) => ({ ...key, isCurrent: key.id === currentId })), addedId };
  });
}

async function change(job: RepositoryKeysJob, repository: Repository, signal: AbortSignal): Promise<string | null> {
  if (job.action === 'list') return null;
  if (job.action === 'remove') {
    await removeKey(repository, required(job.keyId, 'keyId'), signal);
    return null;
  }
  const options = {
    password: required(job.password, 'password'),
    hostname: job.hostname || hostname(),
    username: ownUser().username,
    created: systemClock.now().toISOString(),
  };
  return await (job.action === 'add' ? addKey : changeKey)(repository, options, signal);
}

function required(value: string | null, path: string): string {
  if (value) return value;
  throw new AppError('INVALID_INPUT', {}, { fields: [{ path, code: 'required', message: 'This is needed.' }] });
}

import type { InitRepositoryJob, InitRepositoryResult } from '@backupx/contracts/jobs';
import { systemClock } from '../ports/clock.ts';
import { parsePolynomial } from '../repository/format/config-file.ts';
import { packMasterKey } from '../repository/format/master-key.ts';
import { initRepository as makeRepository } from '../repository/init-repository.ts';
import { openRepository, type Repository, type RepositoryPlace } from '../repository/open-repository.ts';
import { ownUser } from '../repository/own-user.ts';
import { listSnapshots } from '../repository/snapshots.ts';
import type { JobContext } from './job-context.ts';
import { withPlace } from './open-repository-access.ts';

/** Makes a repository, or opens the one that is there (`adopt`). Throws REPOSITORY_*, STORAGE_*, CANCELLED. */
export function initRepository(job: InitRepositoryJob, context: JobContext): Promise<InitRepositoryResult> {
  return withPlace(context, job, 0, async (place) => {
    const repository = job.adopt
      ? await openRepository(place, { password: job.password }, context.signal)
      : await make(place, job, context.signal);
    const { version, id, chunkerPolynomial } = repository.config;
    return {
      repositoryId: id,
      version,
      chunkerPolynomial: chunkerPolynomial.toString(16),
      masterKey: packMasterKey(repository.masterKey),
      snapshotCount: job.adopt ? (await listSnapshots(repository, context.signal)).length : 0,
    };
  });
}

function make(place: RepositoryPlace, job: InitRepositoryJob, signal: AbortSignal): Promise<Repository> {
  const { password, hostname, chunkerPolynomial } = job;
  const polynomial = chunkerPolynomial === null ? {} : { polynomial: parsePolynomial(chunkerPolynomial) };
  const created = systemClock.now().toISOString();
  const { username } = ownUser();
  return makeRepository(place, { password, hostname, username, created, ...polynomial }, signal);
}

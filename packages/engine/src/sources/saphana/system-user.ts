import { AppError } from '@backupx/contracts/errors';
import { findTool } from '../../ports/find-tool.ts';
import { runTool } from '../../ports/processes.ts';

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
  /** Where its hdbuserstore lies. */
  readonly home: string;
}

/** A user of the operating system. Throws SOURCE_FAILED. */
export async function findSystemUser(name: string, signal: AbortSignal): Promise<SystemUser> {
  const getent = findTool(['getent']);
  const answer = getent ? await runTool({ program: getent, args: ['passwd', '--', name] }, { signal }) : null;
  const [, , uid, gid, , home] = answer?.text.trim().split(':') ?? [];
  if (!uid || !gid || !home)
    throw new AppError('SOURCE_FAILED', { reason: `there is no user ${name} on this machine` });
  return { uid: Number(uid), gid: Number(gid), home };
}

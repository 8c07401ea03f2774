/** What a request with an `audit` action leaves behind: who did what to which thing, from where, and did it work. */
import { AppError } from '@backupx/contracts/errors';
import type { Actor } from './route-context.ts';

export interface AuditRecord {
  readonly action: string;
  readonly username: string;
  /** session, token, api_key, agent, anonymous; `system` for what no request caused. */
  readonly via: string;
  readonly ipAddress: string;
  readonly target: string;
  readonly detail: string;
  readonly outcome: 'success' | 'failure';
}

/** Stores one entry. */
export type RecordAudit = (entry: AuditRecord) => Promise<void>;

export interface AuditNote {
  target: string;
  detail?: string;
}

/** These say nothing about a change somebody tried: floods of them would bury the entries that matter. */
const unrecorded = new Set(['INVALID_INPUT', 'RATE_LIMITED', 'AUTH_REQUIRED', 'AUTH_SETUP_REQUIRED']);

export function isWorthRecording(error: unknown): boolean {
  return !(error instanceof AppError && unrecorded.has(error.code));
}

/** `defaultTarget` (usually the id in the path) serves when the handler named none. */
export function auditRecord(request: {
  action: string;
  actor: Actor;
  ipAddress: string;
  note: AuditNote | null;
  defaultTarget: string;
  error?: unknown;
}): AuditRecord {
  const { actor, note, error } = request;
  const target = note?.target ?? request.defaultTarget;
  const failed = error !== undefined;
  const reason = failed ? (error instanceof AppError ? error.code : 'INTERNAL') : '';
  return {
    action: request.action,
    // Nobody is signed in yet at login and set-up; there the target is the name that was given.
    username: actor.kind === 'user' ? actor.username : actor.kind === 'agent' ? actor.nodeName : target,
    via: actor.kind === 'user' ? actor.via : actor.kind,
    ipAddress: request.ipAddress,
    target: target.slice(0, 500),
    detail: [reason, note?.detail].filter(Boolean).join(': ').slice(0, 2000),
    outcome: failed ? 'failure' : 'success',
  };
}

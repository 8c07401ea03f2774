/**
 * Lets a client in to one repository, or says why not without telling what else there is. Guessing is slowed down by
 * address; a client that has proved itself is not slowed down by others behind the same address.
 */
import { hash } from 'node:crypto';
import { AppError } from '@backupx/contracts/errors';
import { createAttemptLimiter } from '../../http/attempt-limiter.ts';
import type { RecordAudit } from '../../http/audit-trail.ts';
import type { GatewayCredentials, GatewayRepository, RepositoryDirectory } from './repository-directory.ts';

/** Wrong tokens per address and minute. */
const ATTEMPTS = 30;
const ATTEMPT_WINDOW_MS = 60_000;
/** The same refusal is written into the audit trail once in this time: a client that keeps trying must not bury the rest. */
const AUDIT_WINDOW_MS = 10 * 60_000;
const MAX_PROVED = 10_000;

export interface Admitted {
  readonly repository: GatewayRepository;
  readonly caller: string;
}

export interface Visitor {
  readonly ipAddress: string;
  /** As in the address. */
  readonly repository: string;
  readonly credentials: GatewayCredentials | null;
}

export interface Admission {
  /** Throws NODE_INVALID_TOKEN, REPOSITORY_FORBIDDEN, RATE_LIMITED. */
  admit(visitor: Visitor): Promise<Admitted>;
  /** Notes that an admitted client was refused something. */
  noteRefusal(visitor: Visitor, caller: string, reason: string): Promise<void>;
}

export interface AdmissionDeps {
  readonly directory: RepositoryDirectory;
  readonly recordAudit: RecordAudit;
  /** Milliseconds on a clock that never jumps. */
  readonly monotonicMs: () => number;
  readonly onAuditFailure: (error: unknown) => void;
}

export function createAdmission(deps: AdmissionDeps): Admission {
  const { directory, monotonicMs } = deps;
  const attempts = createAttemptLimiter({ attempts: ATTEMPTS, windowMs: ATTEMPT_WINDOW_MS, monotonicMs });
  const audits = createAttemptLimiter({ attempts: 1, windowMs: AUDIT_WINDOW_MS, monotonicMs });
  const proved = new Set<string>();

  const remember = (mark: string): void => {
    proved.delete(mark);
    proved.add(mark);
    if (proved.size > MAX_PROVED) proved.delete(proved.values().next().value ?? '');
  };

  const noteRefusal: Admission['noteRefusal'] = async ({ ipAddress, repository }, caller, reason) => {
    try {
      audits.take(JSON.stringify([caller || ipAddress, caller ? repository : '', reason]));
    } catch {
      return;
    }
    const [username, via] = caller ? [caller, 'agent'] : ['', 'anonymous'];
    const entry = { action: 'repository.access', username, via, ipAddress, target: repository.slice(0, 300) };
    await deps.recordAudit({ ...entry, detail: reason, outcome: 'failure' }).catch(deps.onAuditFailure);
  };

  return {
    noteRefusal,
    async admit(visitor) {
      const { ipAddress, repository, credentials } = visitor;
      if (!credentials) throw new AppError('NODE_INVALID_TOKEN');
      const mark = hash('sha256', JSON.stringify([repository, credentials.username, credentials.token]));
      if (!proved.has(mark)) attempts.take(ipAddress);
      const access = await directory.find(repository, credentials);
      if (access.kind === 'granted') {
        remember(mark);
        attempts.forgive(ipAddress);
        return { repository: access.repository, caller: access.caller };
      }
      proved.delete(mark);
      const code = access.kind === 'foreign' ? 'REPOSITORY_FORBIDDEN' : 'NODE_INVALID_TOKEN';
      await noteRefusal(visitor, access.kind === 'foreign' ? access.caller : '', code);
      throw new AppError(code);
    },
  };
}

/** The audit log, and how entries get into it. */
import { type AuditEntry, auditRoutes } from '@backupx/contracts/api/system';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import type { RecordAudit } from '../../http/audit-trail.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { auditLogStore } from '../../stores/audit-log.store.ts';

interface AuditDeps {
  readonly db: Db;
  readonly clock: Clock;
}

export function createRecordAudit({ db, clock }: AuditDeps): RecordAudit {
  return async ({ ipAddress, ...entry }) => {
    await auditLogStore.append(db, { ...entry, at: clock.now().toISOString(), ip_address: ipAddress });
  };
}

export function auditRoutesOf({ db }: Pick<AuditDeps, 'db'>): BoundRoute[] {
  return [
    bind(auditRoutes.list, async ({ query }) => {
      const { rows, total } = await auditLogStore.list(db, query);
      const items = rows.map(
        ({ ip_address, ...row }): AuditEntry => ({
          ...row,
          ipAddress: ip_address,
          outcome: row.outcome as AuditEntry['outcome'],
        }),
      );
      return { items, total };
    }),
  ];
}

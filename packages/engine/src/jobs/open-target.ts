import { AppError } from '@backupx/contracts/errors';
import type { Storage } from '../ports/storage.ts';
import type { JobContext, RelayPurpose } from './job-context.ts';
import { createRelayStorage } from './relay-storage.ts';
import { storageLimits } from './storage-limits.ts';

/** The storage of a job's target: straight there, or through the master. Throws NOT_SUPPORTED without a relay. */
export function openTarget(context: JobContext, purpose: RelayPurpose, bandwidthBytesPerSecond = 0): Storage {
  const { target } = purpose;
  if (!target.viaMaster) {
    return context.drivers.openStorage(target, storageLimits(context, target.name, bandwidthBytesPerSecond));
  }
  if (!context.relay || (purpose.recordId === undefined && purpose.restoreRecordId === undefined)) {
    throw new AppError('NOT_SUPPORTED', {
      what: `Reaching ${target.name} through the master`,
      hint: 'Only agents do this, for backups and restores.',
    });
  }
  const relay = createRelayStorage({ relay: context.relay, purpose, tempDir: context.tempDir });
  return context.drivers.limitBandwidth(relay, bandwidthBytesPerSecond);
}

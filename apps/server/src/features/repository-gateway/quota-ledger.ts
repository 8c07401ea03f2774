/**
 * How full each repository is. The number the directory tells may lag behind by hours, so what passed the gateway since
 * that number last changed is added, and uploads that are still on the way are counted before they begin: many at once
 * cannot exceed the quota together.
 */
import { AppError } from '@backupx/contracts/errors';
import type { GatewayRepository } from './repository-directory.ts';

interface Account {
  toldBytes: number;
  storedSinceBytes: number;
  onTheWayBytes: number;
}

/** Room set aside for one upload; exactly one of the two is called. */
export interface Reservation {
  /** It is stored. */
  keep(): void;
  /** It is not. */
  release(): void;
}

export interface QuotaLedger {
  /** Throws STORAGE_FULL when the file does not fit. */
  reserve(repository: GatewayRepository, sizeBytes: number): Reservation;
  /** A file was removed. */
  removed(repositoryId: number, sizeBytes: number): void;
}

export function createQuotaLedger(): QuotaLedger {
  const accounts = new Map<number, Account>();

  const accountOf = ({ id, usedBytes }: GatewayRepository): Account => {
    const known = accounts.get(id);
    const account = known ?? { toldBytes: usedBytes, storedSinceBytes: 0, onTheWayBytes: 0 };
    if (!known) accounts.set(id, account);
    if (account.toldBytes !== usedBytes) {
      account.toldBytes = usedBytes;
      account.storedSinceBytes = 0;
    }
    return account;
  };

  return {
    reserve(repository, sizeBytes) {
      const account = accountOf(repository);
      const usedBytes = account.toldBytes + account.storedSinceBytes + account.onTheWayBytes;
      const { quotaBytes } = repository;
      if (quotaBytes > 0 && usedBytes + sizeBytes > quotaBytes) {
        throw new AppError('STORAGE_FULL', { reason: `the repository may hold ${quotaBytes} bytes` });
      }
      account.onTheWayBytes += sizeBytes;
      return {
        keep() {
          account.onTheWayBytes -= sizeBytes;
          account.storedSinceBytes += sizeBytes;
        },
        release() {
          account.onTheWayBytes -= sizeBytes;
        },
      };
    },
    removed(repositoryId, sizeBytes) {
      const account = accounts.get(repositoryId);
      if (account) account.storedSinceBytes -= sizeBytes;
    },
  };
}

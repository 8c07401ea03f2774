/** The parameter file that the database hands over with `-p`. */
import { z } from 'zod';
import { type DirectParameters, type FieldsOfStorage, readParameterFile } from '../direct-storage/parameter-file.ts';

/** As many channels as a database may use at most: none of its pipes waits for another. */
const DEFAULT_PARALLELISM = 32;

const ownShape = {
  open_timeout_seconds: z.coerce.number().int().min(1).max(3600).default(60),
  recovery_user: z.string().min(1).optional(),
};

export interface BackintParameters extends DirectParameters {
  readonly openTimeoutMs: number;
  /** Whose backups are restored and listed; null: those of the calling user. For copies of another system. */
  readonly recoveryUser: string | null;
}

/** Throws CONFIG_INVALID with all problems. */
export function readParameters(file: string, fieldsOf: FieldsOfStorage): BackintParameters {
  const { direct, extra } = readParameterFile(file, {
    extra: ownShape,
    defaults: { prefix: 'backint', parallelism: DEFAULT_PARALLELISM },
    fieldsOf,
  });
  return {
    ...direct,
    openTimeoutMs: extra.open_timeout_seconds * 1000,
    recoveryUser: extra.recovery_user ?? null,
  };
}

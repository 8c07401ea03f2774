/** The key that seals secrets at rest: from the config, or a file of mode 0600 that is made at the first start. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { AppError } from '@backupx/contracts/errors';

const KEY_BYTES = 32;

function invalid(problems: string, cause?: unknown): AppError {
  return new AppError('CONFIG_INVALID', { problems }, { cause });
}

function decode(text: string, where: string): Buffer {
  const clean = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(clean) ? Buffer.from(clean, 'hex') : Buffer.from(clean, 'base64');
  if (key.length !== KEY_BYTES) throw invalid(`${where}: must be ${KEY_BYTES} bytes as hex or base64`);
  return key;
}

/** Complete or absent, whenever the process is killed: written beside, then linked to its name, never replacing one. */
function createKeyFile(path: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } finally {
    unlinkSync(temporary);
  }
}

/**
 * `mayCreate` is false when the database holds sealed values already: a new key could not open them, so the lost one
 * must be brought back. Throws CONFIG_INVALID.
 */
export function loadSecretKey(options: {
  readonly key: string;
  readonly keyFile: string;
  readonly mayCreate: boolean;
}): Uint8Array {
  const { key, keyFile, mayCreate } = options;
  if (key) return decode(key, 'security.encryption_key');
  try {
    if (!existsSync(keyFile)) {
      if (!mayCreate) {
        throw invalid(
          `the key file ${keyFile} is missing, but the database holds secrets sealed with it; ` +
            'put the file back from a backup or set security.encryption_key',
        );
      }
      createKeyFile(keyFile);
    }
    return decode(readFileSync(keyFile, 'utf8'), keyFile);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw invalid(`${keyFile}: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

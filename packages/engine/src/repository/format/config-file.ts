/** The config of a repository: sealed JSON, never compressed, written once and last when a repository is made. */
import { AppError } from '@backupx/contracts/errors';
import { z } from 'zod';
import { hexIdSchema, parseJsonFile } from './json-file.ts';
import { degreeOf, isIrreducible, POLYNOMIAL_DEGREE } from './polynomial.ts';

export interface RepositoryConfig {
  /** 2 knows compression, 1 does not. */
  readonly version: 1 | 2;
  /** Random, 64 hex digits. */
  readonly id: string;
  readonly chunkerPolynomial: bigint;
}

const versionSchema = z.looseObject({ version: z.number() });
const configSchema = z.object({
  version: z.union([z.literal(1), z.literal(2)]),
  id: hexIdSchema,
  chunker_polynomial: z.string().regex(/^[0-9a-fA-F]{1,16}$/),
});

/** The JSON of a config. */
export function packConfig({ version, id, chunkerPolynomial }: RepositoryConfig): Buffer {
  return Buffer.from(JSON.stringify({ version, id, chunker_polynomial: chunkerPolynomial.toString(16) }));
}

/**
 * Throws REPOSITORY_UNSUPPORTED for a version of the format we do not know and for a polynomial that is not irreducible
 * or of another degree than 53, and REPOSITORY_DAMAGED for anything else that is wrong.
 */
export function parseConfig(json: Uint8Array): RepositoryConfig {
  const { version } = parseJsonFile('the config', json, versionSchema);
  if (version !== 1 && version !== 2) throw unsupported(`its format has version ${version}, known are 1 and 2`);
  const config = parseJsonFile('the config', json, configSchema);
  return {
    version: config.version,
    id: config.id,
    chunkerPolynomial: parsePolynomial(config.chunker_polynomial),
  };
}

/** A chunker polynomial in hex. Throws REPOSITORY_UNSUPPORTED when it is none that chunking could work with. */
export function parsePolynomial(hex: string): bigint {
  const polynomial = /^[0-9a-fA-F]{1,16}$/.test(hex) ? BigInt(`0x${hex}`) : 0n;
  if (degreeOf(polynomial) !== POLYNOMIAL_DEGREE || !isIrreducible(polynomial)) {
    throw unsupported('its chunker polynomial is not irreducible of degree 53');
  }
  return polynomial;
}

function unsupported(reason: string): AppError {
  return new AppError('REPOSITORY_UNSUPPORTED', { reason });
}

/** Options that only one kind of source has: of a restore, and of a deep verification on a named server. */
import type { FieldManifest } from '@backupx/contracts/driver-manifest';
import { AppError } from '@backupx/contracts/errors';
import type { Engine } from '@backupx/engine/ports/engine';
import { givenOptions, maskFields } from './stored-secrets.ts';

export interface CheckOptionsDeps {
  readonly engine: Pick<Engine, 'manifests' | 'parseSettings'>;
  readonly seal: (text: string) => string;
}

/** As they were given, as they are shown and as they are kept. */
export interface CheckedOptions {
  readonly given: Readonly<Record<string, unknown>>;
  readonly shown: Readonly<Record<string, unknown>>;
  readonly sealed: string;
}

export const noOptions: CheckedOptions = { given: {}, shown: {}, sealed: '' };

/** `isAllowed`: left out, all that the source declares. Throws INVALID_INPUT with fields below `options.`. */
export function checkOptions(
  deps: CheckOptionsDeps,
  asked: {
    readonly type: string;
    readonly given: Readonly<Record<string, unknown>>;
    readonly isAllowed?: (field: FieldManifest) => boolean;
  },
): CheckedOptions {
  const { type, isAllowed = () => true } = asked;
  const given = givenOptions(asked.given);
  if (Object.keys(given).length === 0) return noOptions;
  const declared = deps.engine.manifests.sources.find((one) => one.type === type)?.restoreFields ?? [];
  const known = declared.filter(isAllowed);
  const unknown = Object.keys(given).filter((name) => !known.some((field) => field.name === name));
  if (unknown.length > 0) {
    const message = `there is no such option; known: ${known.map((field) => field.name).join(', ') || 'none'}`;
    const fields = unknown.map((name) => ({ path: `options.${name}`, code: 'unrecognized_keys', message }));
    throw new AppError('INVALID_INPUT', {}, { fields });
  }
  try {
    deps.engine.parseSettings('restore', type, given);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'INVALID_INPUT') throw error;
    const fields = error.fields.map((field) => ({ ...field, path: field.path.replace(/^config/, 'options') }));
    throw new AppError('INVALID_INPUT', error.params, { fields, cause: error });
  }
  return { given, shown: maskFields(known, given), sealed: deps.seal(JSON.stringify(given)) };
}

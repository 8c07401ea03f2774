import { secretFieldNames, toDriverManifest } from '@backupx/contracts/driver-manifest';
import { describe, expect, it } from 'vitest';
import { storageDrivers } from './index.ts';

it('has no type twice', () => {
  const types = storageDrivers.map((driver) => driver.type);
  expect(new Set(types).size).toBe(types.length);
});

describe.each(storageDrivers.map((driver) => [driver.type, driver] as const))('the form of %s', (_type, driver) => {
  const manifest = toDriverManifest({ kind: 'storage', ...driver });

  it('has a label for every field and says what is required', () => {
    expect(manifest.title).not.toBe('');
    for (const field of manifest.fields) expect(field.label, field.name).not.toBe(field.name);
    expect(manifest.fields.some((field) => field.required)).toBe(true);
  });

  it('marks as secret what sounds like a secret', () => {
    const sounding = manifest.fields.filter((field) => /secret|token|password/i.test(field.name));
    expect(secretFieldNames(driver.config)).toEqual(sounding.map((field) => field.name));
  });
});

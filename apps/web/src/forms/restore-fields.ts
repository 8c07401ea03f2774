/** Fields of a restore that say where a server is. */
import type { FieldManifest } from '../api/types.ts';
import type { DriverValues } from './DriverForm.tsx';

export const defaultsOf = (fields: readonly FieldManifest[]): DriverValues =>
  Object.fromEntries(fields.flatMap((field) => (field.default === undefined ? [] : [[field.name, field.default]])));

const ADDRESSES = ['dbHost', 'dbSocket', 'uri'];

/** Those that name a server; any of them will do. */
export const addressesOf = (fields: readonly FieldManifest[]): readonly FieldManifest[] =>
  fields.filter((field) => ADDRESSES.includes(field.name));

/** Without an address "another server" would be the one of the task. */
export const hasAddress = (fields: readonly FieldManifest[], values: DriverValues): boolean =>
  addressesOf(fields).some((field) => String(values[field.name] ?? '').trim() !== '');

/** Of a server that is not the task's: its address must be said, and nothing is taken from the task for it. */
export const otherServerFields = (fields: readonly FieldManifest[]): readonly FieldManifest[] => {
  const [address] = addressesOf(fields);
  return fields.map((field) => {
    if (field === address) return { ...field, help: undefined, required: true };
    return field.secret ? { ...field, help: undefined } : field;
  });
};

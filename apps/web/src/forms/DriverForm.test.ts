import { expect, test } from 'vitest';
import type { FieldManifest } from '../api/types.ts';
import { staysOpen } from './DriverForm.tsx';

const field = { name: 'parallel', label: 'Jobs', kind: 'number', required: false, default: 2 } as FieldManifest;
const panel = { fields: [field], values: { parallel: 2 }, problems: {}, isOpen: false };

test('advanced fields are shown when one of them is set or wrong', () => {
  expect(staysOpen(panel)).toBe(false);
  expect(staysOpen({ ...panel, values: {} })).toBe(false);
  expect(staysOpen({ ...panel, values: { parallel: 3 } })).toBe(true);
  expect(staysOpen({ ...panel, problems: { parallel: 'no' } })).toBe(true);
  expect(staysOpen({ ...panel, problems: { other: 'no' } })).toBe(false);
});

test('they stay open while somebody puts a field back to what it was', () => {
  expect(staysOpen({ ...panel, values: { parallel: 2 }, isOpen: true })).toBe(true);
});

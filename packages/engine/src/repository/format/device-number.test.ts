import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joinDevice, splitDevice } from './device-number.ts';

it('packs device numbers as Linux does', () => {
  // makedev(8, 300) and makedev(0x123, 0x12345) of glibc.
  expect(joinDevice(8, 300)).toBe(1050668n);
  expect(joinDevice(0x123, 0x12345)).toBe(305210181n);
  const u32 = fc.nat(0xffffffff);
  fc.assert(
    fc.property(u32, u32, (major, minor) => {
      expect(splitDevice(joinDevice(major, minor))).toEqual({ major, minor });
    }),
  );
});

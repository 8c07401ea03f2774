import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSecretBox, isSealed } from './secret-box.ts';

describe('createSecretBox', () => {
  const box = createSecretBox(randomBytes(32));

  it('opens what it sealed, and seals the same text differently each time', () => {
    for (const text of ['', 'secret', '密码 🔑', 'x'.repeat(100_000)]) {
      const sealed = box.seal(text);
      expect(isSealed(sealed)).toBe(true);
      expect(box.open(sealed)).toBe(text);
      expect(box.seal(text)).not.toBe(sealed);
    }
    expect(box.seal('secret')).not.toContain('secret');
  });

  it('refuses changed bytes, other keys and plain text', () => {
    const sealed = box.seal('secret');
    const at = sealed.length - 3;
    const flipped = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    expect(() => box.open(flipped)).toThrowError(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => createSecretBox(randomBytes(32)).open(sealed)).toThrow();
    expect(() => box.open('secret')).toThrow();
    expect(() => box.open('sealed:v1:')).toThrow();
  });

  it('refuses a key of the wrong length', () => {
    expect(() => createSecretBox(randomBytes(16))).toThrow(RangeError);
  });
});

import { expect, it } from 'vitest';
import { MessageTail } from './message-tail.ts';

const push = (tail: MessageTail, ...texts: string[]): string => {
  for (const text of texts) tail.push(Buffer.from(text));
  return tail.text;
};

it('keeps the end of what is said', () => {
  const text = push(new MessageTail(), 'begin\n', `${'x'.repeat(40_000)}ü`, '\nlast words\n');
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16 * 1024);
  expect(text).toMatch(/^x+ü\nlast words$/);
});

it('does not let lines about progress push others out', () => {
  const tail = new MessageTail(/^\d+ %/);
  const progress = Array.from({ length: 5000 }, (_, index) => `${index} % done\n`).join('');
  expect(push(tail, 'warning: 1\n2 % of', ' it\nwarn', 'ing: 2ü\n', progress, '4 %')).toBe('warning: 1\nwarning: 2ü');
  expect(push(tail, ' of it', '\nend without a line feed')).toBe('warning: 1\nwarning: 2ü\nend without a line feed');
});

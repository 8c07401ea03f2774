import { expect, it } from 'vitest';
import { tellLeftOut, tellLostViews } from './restore-warnings.ts';

const view = { kind: 'view', name: 'v', reason: 'it cannot be opened (why)', definition: 'CREATE VIEW v AS …' };
const table = { kind: 'table', name: '#mysql50#a-b', reason: 'its file is called so' };

function logged(tell: (context: { log(level: string, text: string): void }) => void): string[] {
  const lines: string[] = [];
  tell({ log: (level, text) => void lines.push(`${level}: ${text}`) });
  return lines;
}

it('tells what a backup lacks, and what an undone swap does not bring back', () => {
  expect(logged((context) => tellLeftOut('shop', {}, context))).toEqual([]);
  expect(logged((context) => tellLeftOut('shop', { leftOut: [view, table] }, context))).toEqual([
    'warn: shop, as it was saved: view v is missing: it cannot be opened (why)',
    'warn: shop, as it was saved: table #mysql50#a-b is missing: its file is called so',
  ]);
  // Journals of earlier versions know none. Tables move and come back.
  expect(logged((context) => tellLostViews({ target: 'shop' }, context))).toEqual([]);
  expect(logged((context) => tellLostViews({ target: 'shop', leftOut: [view, table] }, context))).toEqual([
    expect.stringMatching(/^warn: shop: the view v .* is not made again .*CREATE VIEW v AS …$/),
  ]);
});

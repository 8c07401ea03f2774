import { expect, it } from 'vitest';
import { FileList } from './file-list.ts';
import { missingFiles, withoutMissing } from './table-files.ts';

const files = (...entries: [string, string][]) => new Map(entries);
const copied = (...paths: string[]) => FileList.parse(paths.map((path) => `00000000 1 ${path}\n`).join(''));
const shop = files(
  ['shop/t.frm', 'shop.t'],
  ['shop/t.ibd', 'shop.t'],
  ['shop/p.frm', 'shop.p'],
  ['shop/p#P#a.ibd', 'shop.p'],
  ['shop/v.frm', 'shop.v'],
);

it('finds objects whose files are not in a copy', () => {
  expect(missingFiles(shop, shop, copied(...shop.keys()))).toEqual(new Map());
  const missing = missingFiles(shop, shop, copied('shop/t.frm', 'shop/p.frm', 'shop/v.frm'));
  expect([...missing]).toEqual([
    ['shop.t', ['shop/t.ibd']],
    ['shop.p', ['shop/p#P#a.ibd']],
  ]);
  const objects = ['table shop.t', 'table shop.p', 'view shop.v', 'trigger shop.t'].map((text) => {
    const [kind = '', name = ''] = text.split(' ');
    return { kind, name };
  });
  expect(withoutMissing(objects, missing).map(({ kind }) => kind)).toEqual(['view', 'trigger']);
});

it('misses nothing that came, went or was made anew meanwhile', () => {
  const after = files(['shop/t.frm', 'shop.t'], ['shop/t.ibd', 'shop.t'], ['shop/new.frm', 'shop.new']);
  expect(missingFiles(shop, after, copied('shop/t.frm', 'shop/t.new'))).toEqual(new Map());
  expect(missingFiles(shop, after, copied('shop/t.frm', 'shop/t.ibd.new'))).toEqual(new Map());
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allRoutes } from '@backupx/contracts/api/all-routes';
import { toDriverManifest } from '@backupx/contracts/driver-manifest';
import { errorMessagesZhCn } from '@backupx/contracts/error-messages.zh-cn';
import { errorCatalog } from '@backupx/contracts/errors';
import { beforeEach, describe, expect, test } from 'vitest';
import { sourceDrivers } from '../../../../packages/engine/src/sources/index.ts';
import { storageDrivers } from '../../../../packages/engine/src/storages/index.ts';
import { driverTextsZhCn } from './driver-texts.ts';
import { enWhole as en } from './en-whole.ts';
import { installLocale, type Text, t } from './i18n.ts';
import { zhCNWhole as zhCN } from './zh-cn-whole.ts';

const forms = (text: Text): string[] => (typeof text === 'string' ? [text] : [text.one, text.other]);
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const source = join(import.meta.dirname, '..');

function readSources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(
      (entry) =>
        /\.tsx?$/.test(entry.name) &&
        !/\.test\.|^(en|zh-cn)(-administration|-repositories|-whole)?\.ts$/.test(entry.name),
    )
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

describe('catalogues', () => {
  test('have the same keys in the same order', () => {
    expect(Object.keys(zhCN)).toEqual(Object.keys(en));
  });

  test.each(Object.keys(en) as (keyof typeof en)[])('%s has text and the same parameters in both', (key) => {
    const english = new Set(forms(en[key]).flatMap(names));
    for (const form of forms(zhCN[key])) {
      expect(form.trim()).not.toBe('');
      for (const name of names(form)) expect(english).toContain(name);
    }
    const chinese = new Set(forms(zhCN[key]).flatMap(names));
    expect([...english].filter((name) => !chinese.has(name))).toEqual([]);
  });

  test('English has no CJK', () => {
    expect(JSON.stringify(en)).not.toMatch(/[\u3000-\u9fff]/);
  });

  test('every key is used', () => {
    const text = readSources(source);
    const families = [...text.matchAll(/`(\w+)\.\$\{/g)].map((match) => match[1]);
    const unused = Object.keys(en).filter(
      (key) => !text.includes(`'${key}'`) && !families.includes(key.split('.')[0]) && !key.startsWith('driver.'),
    );
    expect(unused).toEqual([]);
  });
});

test('every error code has Chinese words with the same parameters', () => {
  expect(Object.keys(errorMessagesZhCn).sort()).toEqual(Object.keys(errorCatalog).sort());
  for (const [code, english] of Object.entries(errorCatalog)) {
    const chinese = errorMessagesZhCn[code as keyof typeof errorMessagesZhCn];
    expect(chinese.message, code).not.toBe('');
    expect(names(chinese.message + chinese.hint), code).toEqual(names(english.message + english.hint));
  }
});

test('every audited action of the API has words', () => {
  const actions = new Set(
    Object.values(allRoutes).flatMap((group) =>
      Object.values(group).flatMap((route) => ('audit' in route && route.audit ? [route.audit] : [])),
    ),
  );
  expect(actions.size).toBeGreaterThan(20);
  // Of the gateway for stock programs, which is no route of the API.
  actions.add('repository.access');
  const words = Object.keys(en).filter((key) => key.startsWith('auditAction.'));
  expect(words.sort()).toEqual([...actions].map((action) => `auditAction.${action}`).sort());
});

test('every field of every driver has Chinese words', () => {
  const missing: string[] = [];
  const demand = (key: string) => {
    if (!/\p{Script=Han}/u.test(driverTextsZhCn[key] ?? '')) missing.push(key);
  };
  const manifests = [
    ...sourceDrivers.map((driver) => toDriverManifest({ kind: 'source', ...driver })),
    ...storageDrivers.map((driver) => toDriverManifest({ kind: 'storage', ...driver })),
  ];
  expect(manifests.length).toBeGreaterThan(2);
  for (const { type, fields } of manifests) {
    demand(`driver.${type}.title`);
    for (const { name, help, options = [] } of fields) {
      demand(`driver.${type}.${name}`);
      if (help) demand(`driver.${type}.${name}.help`);
      for (const option of options) demand(`driver.${type}.${name}.${option}`);
    }
  }
  expect(missing).toEqual([]);
});

describe('t', () => {
  beforeEach(() => installLocale('en', en));

  test('fills parameters and formats numbers', () => {
    expect(t('overview.protected', { protected: 38, total: 1040 })).toBe('38 of 1,040 protected.');
  });

  test('chooses the plural by the language', () => {
    expect(t('overview.needYou', { count: 1 })).toBe('1 needs you.');
    expect(t('overview.needYou', { count: 2 })).toBe('2 need you.');
    installLocale('zh-CN', zhCN);
    expect(t('overview.needYou', { count: 1 })).toBe('1 个需要您处理。');
  });
});

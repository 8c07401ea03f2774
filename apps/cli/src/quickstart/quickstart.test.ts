import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { needsBuild } from '../build-console.ts';
import { createPassword } from './open-local-access.ts';
import { ownDataPatterns } from './prepare-task.ts';

test('our own data is left out when it lies below the folder', () => {
  expect(ownDataPatterns('/srv', '/srv/app [1]/data')).toEqual(['/app\\ \\[1\\]/data/']);
  expect(ownDataPatterns('/srv', '/srvdata')).toEqual([]);
  expect(ownDataPatterns('/srv/www', '/srv/data')).toEqual([]);
  expect(ownDataPatterns('/', '/root/data')).toEqual(['/root/data/']);
});

test('passwords are long and never the same', () => {
  expect(createPassword()).toMatch(/^[A-Za-z2-9]{20}$/);
  expect(createPassword()).not.toBe(createPassword());
});

test('the console is built when missing or older than a source', () => {
  const folder = mkdtempSync(join(tmpdir(), 'backupx-web-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'src', 'pages'), { recursive: true });
  const source = join(folder, 'src', 'pages', 'page.tsx');
  writeFileSync(source, '');
  expect(needsBuild(folder)).toBe(true);
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist', 'index.html'), '');
  utimesSync(join(folder, 'dist', 'index.html'), 4e9, 4e9);
  expect(needsBuild(folder)).toBe(false);
  utimesSync(source, 5e9, 5e9);
  expect(needsBuild(folder)).toBe(true);
});

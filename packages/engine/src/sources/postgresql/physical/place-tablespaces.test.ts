import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import { placeTablespaces } from './place-tablespaces.ts';

const MAP = '7 /srv/fast\n8 /srv/slow\n';

/** Where they go, or why not. */
function place(tablespaces: string[], dataFolder = '/srv/pg'): unknown {
  try {
    return placeTablespaces(MAP, { tablespaces, dataFolder }).map(({ location }) => location);
  } catch (error) {
    return (error as AppError).fields[0]?.message;
  }
}

it('gives each tablespace a place of its own, outside of the data directory', () => {
  expect(place([])).toEqual(['/srv/fast', '/srv/slow']);
  expect(place(['/srv/fast=/srv/pg-fast'])).toEqual(['/srv/pg-fast', '/srv/slow']);
  expect(place(['/srv/none=/x'])).toMatch(/no tablespace for the line \/srv\/none=\/x.*\/srv\/fast, \/srv\/slow/);
  expect(place(['/srv/fast=/srv/slow'])).toContain('Two tablespaces would lie in /srv/slow');
  expect(place(['/srv/fast=/srv//x', '/srv/slow=/srv/x/'])).toContain('Two tablespaces would lie in /srv/x');
  expect(place(['/srv/fast=/srv/pg/fast'])).toContain('in the data directory: /srv/pg/fast');
  expect(place([], '/srv/slow/')).toContain('in the data directory: /srv/slow');
});

it('goes by where links lead', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'place-tablespaces-'));
  try {
    const at = (name: string) => path.join(folder, name);
    mkdirSync(at('pg'));
    symlinkSync(at('pg'), at('link'));
    expect(place([`/srv/fast=${at('link')}/fast`], at('pg'))).toContain('in the data directory');
    expect(place([`/srv/fast=${at('link')}/x`, `/srv/slow=${at('pg')}/x`])).toContain('Two tablespaces would lie in');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toDriverManifest } from '@backupx/contracts/driver-manifest';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readSettings } from './driver-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'backupx-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { fields } = toDriverManifest({
  ...{ kind: 'source', type: 'shopdb', title: 'Shop' },
  config: z.object({
    dbHost: z.string(),
    dbPort: z.number(),
    dbPassword: z.string().meta({ secret: true }),
    isQuick: z.boolean(),
    databases: z.array(z.string()),
  }),
});

describe('settings of the command line', () => {
  it('have the types of their fields', async () => {
    const file = join(folder, 'password');
    writeFileSync(file, 'top=secret\n');
    const set = ['dbHost=db=1', 'dbPort=5433', 'isQuick=false', 'databases=a,b', 'databases=c'];
    expect(await readSettings(fields, { set, secretFile: [`dbPassword=${file}`] })).toEqual({
      ...{ dbHost: 'db=1', dbPort: 5433, isQuick: false, databases: ['a,b', 'c'], dbPassword: 'top=secret' },
    });
  });

  it.each([
    ['dbPassword=x', /secret/],
    ['speed=3', /unknown.*dbHost/],
    ['dbPort=fast', /number/],
    ['isQuick=yes', /true or false/],
    ['dbHost', /key=value/],
  ])('refuse %s', async (pair, message) => {
    const error = await readSettings(fields, { set: [pair] }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'INVALID_INPUT', fields: [{ message: expect.stringMatching(message) }] });
  });
});

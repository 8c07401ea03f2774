import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { createEntryBuilder } from './build-entry.ts';

it('says of which items attributes are missing, and asks a known file for them only then', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'build-entry-'));
  try {
    const problems: string[] = [];
    let asked = 0;
    const module = {
      listAttributesSync(file: string) {
        asked += 1;
        if (file.endsWith('closed')) throw new Error('closed (os error 13)');
        return ['user.a', 'user.b'];
      },
      getAttributeSync(file: string, name: string) {
        if (name === 'user.b' && file.endsWith('unread')) return null;
        if (name === 'user.b' && file.endsWith('half')) throw new Error('refused (os error 13)');
        return Buffer.from(name);
      },
      setAttributeSync() {},
    };
    let known: boolean | 'content' = false;
    const context = {
      problem: ({ code, message }: { code: string; message: string }) => problems.push(`${code}: ${message}`),
      isUnchanged: () => known,
    };
    const builder = createEntryBuilder(context, module);
    const build = (name: string) => {
      const file = path.join(folder, name);
      writeFileSync(file, 'x');
      const entry = builder.build({ path: file, bytes: Buffer.from(file), stats: lstatSync(file, { bigint: true }) });
      if (entry?.content?.kind === 'sync') entry.content.close();
      return [entry?.content === null, [...(entry?.xattrs?.keys() ?? [])].join(), entry?.metadataError];
    };
    const refused = 'its extended attribute user.b could not be read: refused (os error 13)';
    expect(build('half')).toEqual([false, 'user.a', refused]);
    expect(build('whole')).toEqual([false, 'user.a,user.b', undefined]);
    const closed = 'its extended attributes could not be read: closed (os error 13)';
    expect(build('closed')).toEqual([false, '', closed]);
    expect(build('unread')).toEqual([false, 'user.a', 'not all of its attributes could be read']);
    expect(asked).toBe(4);
    known = true;
    expect(build('half')).toEqual([true, '', undefined]);
    expect(asked).toBe(4);
    known = 'content';
    expect(build('half')).toEqual([true, 'user.a', refused]);
    expect(build('whole')).toEqual([true, 'user.a,user.b', undefined]);
    expect(problems).toEqual([refused, closed, refused].map((message) => `metadata: ${message}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

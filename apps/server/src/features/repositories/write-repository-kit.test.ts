import { describe, expect, it } from 'vitest';
import { kitCommands } from '../../dispatch/repositories/kit-commands.ts';
import { type RepositoryKit, writeRepositoryKit, writeRepositoryKitPage } from './write-repository-kit.ts';

const disk = { id: 1, name: 'disk', type: 'local_disk', enabled: true, config: { basePath: "/srv/it's here/" } };
const bucket = {
  ...disk,
  name: 'cloud',
  type: 's3',
  config: {
    endpoint: 'https://s3.example/',
    bucket: 'b',
    prefix: '/p/',
    region: 'eu-1',
    accessKeyId: 'AK',
    secretAccessKey: 'hush',
    forcePathStyle: true,
  },
};
const kit: RepositoryKit = {
  siteName: 'Site <1>',
  createdAt: new Date(0),
  name: 'web & more',
  repositoryId: 'ab',
  password: "pa'ss",
  target: disk,
  prefix: 'repositories/web-1',
  onDiskOf: 'host-1',
  newest: [{ taskName: '<b>docs</b>', snapshotId: '0123456789abcdef', at: '2026-01-01T00:00:00.000Z' }],
};

describe('the recovery kit of a repository', () => {
  it('has three commands that survive a shell', () => {
    expect(kitCommands(kit)).toEqual([
      `export RESTIC_REPOSITORY='/srv/it'\\''s here/repositories/web-1' RESTIC_PASSWORD='pa'\\''ss'`,
      'restic snapshots',
      'restic restore latest --target restored',
    ]);
  });

  it('names a bucket as restic does, and never its secret', () => {
    const text = writeRepositoryKit({ ...kit, target: bucket, onDiskOf: null });
    expect(text).toContain(`RESTIC_REPOSITORY='s3:https://s3.example/b/p/repositories/web-1'`);
    expect(text).toContain(`AWS_ACCESS_KEY_ID='AK'`);
    expect(text).toContain('restic -o s3.bucket-lookup=path restore latest');
    expect(text).not.toContain('hush');
  });

  it('says whose disk it is, and which snapshot belongs to which task', () => {
    const text = writeRepositoryKit(kit);
    expect(text).toContain('on the disk of host-1');
    expect(text).toContain('0123456789ab  2026-01-01T00:00:00.000Z  <b>docs</b>');
  });

  it('is a page that runs nothing', () => {
    const page = writeRepositoryKitPage(kit);
    expect(page).toContain('&lt;b&gt;docs&lt;/b&gt;');
    expect(page).toContain('Site &lt;1&gt;');
    expect(page).not.toMatch(/<script|<b>docs/);
  });
});

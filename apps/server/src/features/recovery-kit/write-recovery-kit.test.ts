import { describe, expect, it } from 'vitest';
import { type KitPlace, writeRecoveryKit } from './write-recovery-kit.ts';

const key = { identity: 'AGE-SECRET-KEY-1X', recipient: 'age1x' };
const field = (name: string, secret = false) => ({
  name,
  kind: 'text' as const,
  label: name,
  required: true,
  secret,
  advanced: false,
  multiline: false,
});
const kit = (places: KitPlace[]) =>
  writeRecoveryKit({ siteName: 'S', createdAt: new Date(0), key, places, repositories: [] });

describe('writeRecoveryKit', () => {
  it('quotes paths for the shell and leaves out what the artifact does not need', () => {
    const text = kit([
      {
        name: 'disk',
        type: 'local_disk',
        config: { basePath: "/srv/it's here/" },
        manifest: { kind: 'storage', type: 'local_disk', title: '', fields: [field('basePath')] },
        example: { storagePath: 't/r1/a b.tar.gz', taskName: 't' },
      },
    ]);
    expect(text).toContain(`cp '/srv/it'\\''s here/t/r1/a b.tar.gz' .`);
    expect(text).toContain(`cat 'a b.tar.gz' | gzip -d | tar -x`);
  });

  it('names bucket, prefix and endpoint, never a secret or a field nobody declared', () => {
    const text = kit([
      {
        name: 'cloud',
        type: 's3',
        config: { endpoint: 'https://s3.example', bucket: 'b', prefix: '/p/', secretKey: 'hush', odd: 'hush2' },
        manifest: {
          kind: 'storage',
          type: 's3',
          title: '',
          fields: [field('endpoint'), field('bucket'), field('prefix'), field('secretKey', true)],
        },
        example: { storagePath: 't/r1/a.tar.zst.age', taskName: 't' },
      },
    ]);
    expect(text).toContain(`aws s3 cp --endpoint-url 'https://s3.example' 's3://b/p/t/r1/a.tar.zst.age' .`);
    expect(text).toContain(`age -d -i key.txt 'a.tar.zst.age' | zstd -d | tar -x`);
    expect(text).not.toContain('hush');
  });

  it('has the commands of each repository', () => {
    const repositories = [{ name: 'web', commands: ['export RESTIC_PASSWORD=x', 'restic snapshots'] }];
    const text = writeRecoveryKit({ siteName: 'S', createdAt: new Date(0), key, places: [], repositories });
    expect(text).toContain('* web\n      export RESTIC_PASSWORD=x\n      restic snapshots');
  });

  it('is complete without any place', () => {
    expect(kit([])).toContain(key.identity);
  });
});

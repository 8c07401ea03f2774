import { expect, it } from 'vitest';
import type { SourceEntry } from '../../ports/source.ts';
import { nodeOfEntry } from './node-of-entry.ts';

const entry = {
  type: 'file',
  path: Buffer.from('/a/b'),
  mode: 0o644,
  modifiedAtNs: 5n,
  uid: 1,
  gid: 2,
  userName: 'u',
  groupName: 'g',
  identity: { device: 9n, inode: 7n, linkCount: 1, changedAtNs: 6n },
} as unknown as SourceEntry;

it('tells the device of every item and the links of all but folders and fifos, as stock restic does', () => {
  const of = (type: SourceEntry['type']) => nodeOfEntry({ ...entry, type } as SourceEntry, Buffer.from('b'), {});
  expect(of('file')).toMatchObject({ deviceId: 9n, inode: 7n, links: 1, atimeNs: 5n, ctimeNs: 6n });
  expect(of('directory')).toMatchObject({ type: 'dir', deviceId: 9n, links: 0 });
  expect(of('fifo')).toMatchObject({ deviceId: 9n, links: 0, content: null });
  expect(of('symlink')).toMatchObject({ deviceId: 9n, links: 1 });
});

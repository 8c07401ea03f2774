import { describe, expect, it } from 'vitest';
import type { RestoreFile, RestoreFileEntry } from '../../ports/source.ts';
import { type PendingFile, type PieceSession, RestoreFiles } from './restore-files.ts';

/** A session whose files only note how they ended. */
function createFiles() {
  const ends: string[] = [];
  const openFile = ({ path }: RestoreFileEntry): RestoreFile => {
    const note = (end: string) => {
      ends.push(`${Buffer.from(path).toString()} ${end}`);
      return true;
    };
    return {
      isOpen: true,
      existing: null,
      closeExisting() {},
      writeAt() {},
      finish: () => note('finished'),
      keepExisting: () => note('kept'),
      discard: () => void note('discarded'),
    };
  };
  const files = new RestoreFiles({ openFile } as unknown as PieceSession, () => {});
  const begin = (name: string): PendingFile => {
    const pending = files.begin({ path: Buffer.from(name) } as unknown as RestoreFileEntry);
    if (!pending) throw new Error('every file is wanted');
    return pending;
  };
  return { files, begin, ends };
}

describe('the files of a restore', () => {
  it('discards those that are open, in whatever order the others ended', async () => {
    const { files, begin, ends } = createFiles();
    const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(begin);
    if (!a || !b || !c || !d || !e) throw new Error('five files');
    for (const pending of [a, e, c]) await files.pieceDone(pending);
    // Ended twice is ended once.
    await files.end(c, true);
    begin('f');
    files.discardAll();
    expect(ends.slice(0, 3)).toEqual(['a finished', 'e finished', 'c finished']);
    expect(ends.slice(3).sort()).toEqual(['b discarded', 'd discarded', 'f discarded']);
  });
});

import { tmpdir } from 'node:os';
import type { AppError } from '@backupx/contracts/errors';
import { expect, it } from 'vitest';
import type { FromReader, ReaderStart } from './messages.ts';
import { ReadingThread } from './reading-thread.ts';

const source = { type: 'file', config: { paths: ['/nowhere'], excludePatterns: [], oneFileSystem: false } };
const start = { parentTree: null } as ReaderStart;

function listen(thread: ReadingThread): Promise<AppError | FromReader> {
  return new Promise((resolve) => thread.start(start, { onMessage: resolve, onEnd: resolve }));
}

it('tells of an end that came before anybody listened', async () => {
  const readersUrl = new URL('../../sources/readers.ts', import.meta.url).href;
  const thread = new ReadingThread({ source, readersUrl, tempDir: tmpdir(), parallelism: 1 });
  await thread.close();
  expect(await listen(thread)).toMatchObject({ code: 'SOURCE_FAILED' });
});

it('tells why it cannot read, whenever that was', async () => {
  const thread = new ReadingThread({
    source,
    readersUrl: 'file:///no-such-readers.ts',
    tempDir: tmpdir(),
    parallelism: 1,
  });
  try {
    expect(await listen(thread)).toMatchObject({ type: 'error' });
  } finally {
    await thread.close();
  }
});

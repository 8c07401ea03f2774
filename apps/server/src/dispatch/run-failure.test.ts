import { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { nameNode, runFailureOf } from './run-failure.ts';

describe('nameNode', () => {
  it('says the name of the node instead of the host name', () => {
    const failure = runFailureOf(new AppError('SOURCE_NOT_FOUND', { path: '/srv/x', node: 'vm-17.internal' }));
    expect(nameNode(failure, 'web-1')).toEqual({
      code: 'SOURCE_NOT_FOUND',
      params: { path: '/srv/x', node: 'web-1' },
      message: new AppError('SOURCE_NOT_FOUND', { path: '/srv/x', node: 'web-1' }).message,
    });
  });

  it('leaves alone what names no node or was not made from the template', () => {
    const other = runFailureOf(new AppError('STORAGE_TARGET_NOT_FOUND'));
    expect(nameNode(other, 'web-1')).toBe(other);
    const words = {
      code: 'SOURCE_NOT_FOUND' as const,
      params: { path: '/x', node: 'vm' },
      message: 'words of an agent',
    };
    expect(nameNode(words, 'web-1')).toBe(words);
    const known = runFailureOf(new AppError('SOURCE_NOT_FOUND', { path: '/x', node: 'vm' }));
    expect(nameNode(known, '')).toBe(known);
  });
});

import { AppError } from '@backupx/contracts/errors';
import { describe, expect, it } from 'vitest';
import { agentFailure, paramsFromMessage } from './agent-failure.ts';

describe('agentFailure', () => {
  it('reads the params of a catalogue error back from its text', () => {
    const error = new AppError('SOURCE_NOT_FOUND', { path: '/srv/(a).b', node: 'web-1' });
    expect(agentFailure('web-1', error.message, error.code)).toEqual({
      code: 'SOURCE_NOT_FOUND',
      params: { path: '/srv/(a).b', node: 'web-1' },
      message: error.message,
    });
  });

  it('keeps the words of the agent when they do not fit the code', () => {
    const reported = agentFailure('web-1', 'disk on fire', 'SOURCE_NOT_FOUND');
    expect(reported).toEqual({
      code: 'AGENT_FAILED',
      params: { node: 'web-1', reason: 'disk on fire' },
      message: 'disk on fire',
    });
    expect(agentFailure('web-1', 'disk on fire', 'NO_SUCH_CODE').code).toBe('AGENT_FAILED');
  });

  it('does not invent params that only the hint has', () => {
    const { message } = new AppError('SOURCE_TYPE_UNKNOWN', { type: 'x', known: 'file' });
    expect(paramsFromMessage('SOURCE_TYPE_UNKNOWN', message)).toBeNull();
  });
});

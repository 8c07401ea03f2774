import { AppError, type ErrorCode, errorCatalog } from '@backupx/contracts/errors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadLocale } from '../i18n/i18n.ts';
import { ApiError } from './client.ts';
import { describeError, errorMessage, fieldErrors, loadErrorTexts } from './error-message.ts';
import { readParams } from './translate-error.ts';

const answer = (code: ErrorCode, params: Record<string, string> = {}) => {
  const error = new AppError(code, params);
  return new ApiError(error.status, { code, message: error.message, hint: error.hint, requestId: 'r1' });
};

test('parameters are read back out of a message', () => {
  expect(readParams('The path {path} does not exist on {node}.', 'The path /a b does not exist on web-1.')).toEqual({
    path: '/a b',
    node: 'web-1',
  });
  expect(readParams('{node} is offline.', 'Something else.')).toBeNull();
});

describe('English', () => {
  beforeAll(async () => {
    await loadLocale('en');
    await loadErrorTexts('en');
  });

  test('shows what the server said', () => {
    expect(errorMessage(answer('NODE_OFFLINE', { node: 'web-1' }))).toEqual({
      what: 'web-1 is offline.',
      next: 'Start the agent on web-1.',
      code: 'NODE_OFFLINE',
      requestId: 'r1',
    });
  });

  test('has words for no connection, a foreign answer and a fault of our own', () => {
    expect(errorMessage(new ApiError(0, { code: 'NO_CONNECTION', message: '' })).what).toContain('cannot be reached');
    expect(errorMessage(new ApiError(502, { code: 'NOT_OUR_ANSWER', message: '' })).next).toContain('proxy');
    expect(errorMessage(new Error('boom')).next).toBe('boom');
  });

  test('maps refused fields, known codes by translation', () => {
    const error = new ApiError(400, {
      code: 'INVALID_INPUT',
      message: '',
      fields: [
        { path: 'name', code: 'too_small', message: 'x' },
        { path: 'cronExpr', code: 'cron', message: 'The hour 25 does not exist.' },
      ],
    });
    expect(fieldErrors(error)).toEqual({
      name: 'This is too short or too small.',
      cronExpr: 'The hour 25 does not exist.',
    });
  });
});

describe('Chinese', () => {
  beforeAll(async () => {
    await loadLocale('zh-CN');
    await loadErrorTexts('zh-CN');
  });
  afterAll(() => loadErrorTexts('en'));

  test('stored English messages are translated with their parameters', () => {
    const { what, next } = errorMessage(answer('NODE_OFFLINE', { node: 'web-1' }));
    expect(what).toContain('web-1');
    expect(what + next).toMatch(/[\u4e00-\u9fff]/);
  });

  test.each(Object.keys(errorCatalog) as ErrorCode[])('%s leaves no hole', (code) => {
    const names = [...(errorCatalog[code].message + errorCatalog[code].hint).matchAll(/\{(\w+)\}/g)];
    const words = errorMessage(answer(code, Object.fromEntries(names.map(([, name = '']) => [name, `value-${name}`]))));
    expect(`${words.what} ${words.next}`).not.toMatch(/\{\w+\}/);
    expect(words.what).toMatch(/[\u4e00-\u9fff]/);
  });

  test('a message within a message is translated too', () => {
    const cause = new AppError('NODE_OFFLINE', { node: 'web-1' }).message;
    const { what } = errorMessage(answer('STORAGE_TEST_FAILED', { step: 'write', reason: cause }));
    expect(what).toContain(describeError('NODE_OFFLINE', cause, '').what);
    expect(what).not.toContain('offline');
  });

  test('a parameter that is no message stays as it is', () => {
    const { what } = errorMessage(answer('STORAGE_TEST_FAILED', { step: 'write', reason: 'EACCES: /srv' }));
    expect(what).toContain('EACCES: /srv');
  });

  test('an unknown code and a free text stay as they are', () => {
    expect(describeError('NEW_CODE', 'Free text', 'Hint')).toEqual({ what: 'Free text', next: 'Hint' });
    expect(describeError('STORAGE_FULL', 'No space on this disk', '').what).toBe('No space on this disk');
  });
});

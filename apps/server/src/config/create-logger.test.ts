import { describe, expect, it } from 'vitest';
import { createLogger } from './create-logger.ts';

function logged(format: 'json' | 'text', write: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ level: 'info', file: '', format }, { write: (line) => void lines.push(line) }));
  return lines.join('');
}

describe('createLogger', () => {
  it('removes secrets by name and by shape, wherever they turn up', () => {
    const text = logged('json', (logger) => {
      logger.info({ password: 'p1', deep: { token: 'p2' }, config: { a: 'p3' } }, 'fields');
      logger.info('key bax_abcdefghijk and AGE-SECRET-KEY-1QQQQ and sealed:v1:abc-_9 and s3://user:p4@host/');
      const cause = new Error('request was {"accessKeyId":"p5","password":"p6"} with token=p7');
      logger.error({ err: new Error('outer', { cause }) }, 'chain');
    });
    for (const secret of ['p1', 'p2', 'p3', 'p4@', 'p5', 'p6', 'p7', 'abcdefghijk', 'QQQQ', 'abc-_9']) {
      expect(text, secret).not.toContain(secret);
    }
    expect(text).toContain('outer');
    for (const line of text.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('writes lines for people', () => {
    const text = logged('text', (logger) => logger.warn({ count: 2 }, 'careful'));
    expect(text).toMatch(/^\d{4}-.*Z WARN {2}careful \{"count":2\}\n$/);
  });
});

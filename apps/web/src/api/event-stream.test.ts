import { expect, test, vi } from 'vitest';
import { createEventParser, openEventStream, type ServerEvent, type StreamState } from './event-stream.ts';

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 30_000 });

function parseAll(...chunks: string[]): ServerEvent[] {
  const events: ServerEvent[] = [];
  const parse = createEventParser((event) => events.push(event));
  chunks.forEach(parse);
  return events;
}

test('parses events cut at any byte, comments and CRLF', () => {
  const text = ': beat\r\nid: 7\r\nevent: log\r\ndata: one\r\ndata: two\r\n\r\nid: 8\ndata:{"a":1}\n\n';
  const expected = [
    { id: '7', event: 'log', data: 'one\ntwo' },
    { id: '8', event: 'message', data: '{"a":1}' },
  ];
  expect(parseAll(text)).toEqual(expected);
  expect(parseAll(...text)).toEqual(expected);
});

test('an event without its blank line is not delivered', () => {
  expect(parseAll('data: half')).toEqual([]);
});

const body = (text: string) => new Response(text);

test('reconnects after a clean end with the last id', async () => {
  const seen: (string | null)[] = [];
  const events: string[] = [];
  const stop = openEventStream({
    url: '/x',
    retryMs: [1],
    onEvent: (event) => events.push(event.data),
    open: async (_url, init) => {
      seen.push(new Headers(init.headers).get('Last-Event-ID'));
      return body(`id: ${seen.length}\ndata: n${seen.length}\n\n`);
    },
  });
  await until(() => expect(events.length).toBeGreaterThanOrEqual(3));
  stop();
  expect(seen.slice(0, 3)).toEqual([null, '1', '2']);
  expect(events.slice(0, 3)).toEqual(['n1', 'n2', 'n3']);
});

test('says paused while the server is gone and live when it is back', async () => {
  const states: StreamState[] = [];
  let attempts = 0;
  const stop = openEventStream({
    url: '/x',
    retryMs: [1],
    onEvent: () => {},
    onState: (state) => states.push(state),
    open: async (_url, init) => {
      attempts += 1;
      if (attempts < 4) throw new TypeError('refused');
      return new Response(
        new ReadableStream({
          start(controller) {
            init.signal?.addEventListener('abort', () => controller.error(new Error('aborted')));
          },
        }),
      );
    },
  });
  await until(() => expect(states.at(-1)).toBe('live'));
  stop();
  expect(states).toContain('paused');
});

test('gives up a silent connection', async () => {
  let attempts = 0;
  const stop = openEventStream({
    url: '/x',
    retryMs: [1],
    silenceMs: 5,
    onEvent: () => {},
    open: (_url, init) => {
      attempts += 1;
      return new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    },
  });
  await until(() => expect(attempts).toBeGreaterThan(2));
  stop();
});

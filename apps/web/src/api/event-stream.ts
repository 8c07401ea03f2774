/**
 * Server-sent events over `fetch`. Unlike EventSource it reconnects after a clean end too, notices a silent
 * connection, and tells when events are paused so that the console can say so and poll instead.
 */
import { request } from './client.ts';

export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** `data: x` → `['data', 'x']`; a comment (`: x`) has an empty field name. */
function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}

/** Feeds on text chunks of any size and calls `onEvent` for each complete event (WHATWG server-sent events). */
export function createEventParser(onEvent: (event: ServerEvent) => void): (chunk: string) => void {
  let buffer = '';
  let id = '';
  let event = '';
  let data: string[] = [];

  const takeLine = (line: string) => {
    if (line === '') {
      if (data.length > 0) onEvent({ id, event: event || 'message', data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const [field, value] = splitField(line);
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  };

  return (chunk) => {
    buffer += chunk;
    // A lone CR at the end may be half of CRLF: keep it for the next chunk.
    const lines = buffer.split(/\r\n|\n|\r(?!$)/);
    buffer = lines.pop() ?? '';
    lines.forEach(takeLine);
  };
}

export type StreamState = 'connecting' | 'live' | 'paused';

export interface StreamOptions {
  readonly url: string;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onState?: (state: StreamState) => void;
  /** A connection without a byte for this long is given up; the server beats every 15 s. */
  readonly silenceMs?: number;
  /** Waits between attempts, the last one for ever. */
  readonly retryMs?: readonly number[];
  /** Replaces the network in tests. */
  readonly open?: (url: string, init: RequestInit) => Promise<Response>;
}

async function readStream(response: Response, onChunk: (text: string) => void): Promise<void> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onChunk(decoder.decode(value, { stream: true }));
  }
}

/** Opens the stream and keeps it open until the returned function is called. */
export function openEventStream(options: StreamOptions): () => void {
  const { silenceMs = 45_000, retryMs = [500, 1000, 2000, 5000], open = request } = options;
  let stopped = false;
  let attempt = 0;
  let lastId = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  let connection = new AbortController();

  const watchSilence = () => {
    clearTimeout(timer);
    timer = setTimeout(() => connection.abort(), silenceMs);
  };
  const connect = async () => {
    connection = new AbortController();
    watchSilence();
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (lastId) headers['Last-Event-ID'] = lastId;
      const response = await open(options.url, { headers, signal: connection.signal, cache: 'no-store' });
      attempt = 0;
      options.onState?.('live');
      const parse = createEventParser((event) => {
        if (event.id) lastId = event.id;
        if (!stopped) options.onEvent(event);
      });
      await readStream(response, (text) => {
        watchSilence();
        parse(text);
      });
    } catch {
      // Whatever ended it, the answer is the same: say so and try again.
    }
    clearTimeout(timer);
    if (stopped) return;
    if (attempt > 0) options.onState?.('paused');
    timer = setTimeout(connect, retryMs[Math.min(attempt, retryMs.length - 1)]);
    attempt += 1;
  };

  options.onState?.('connecting');
  void connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    connection.abort();
  };
}

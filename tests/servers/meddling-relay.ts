/** A relay before a database server, which meddles at a word that is said to it. */
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly port: number;
  /** Resolves when somebody has said the word, and with `stallAfter` when the answer stands still. */
  readonly said: Promise<unknown>;
  /** Breaks what goes through it, and ends. */
  close(): void;
}

export type Meddling = 'lose' | 'stall' | { readonly stallAfter: number } | (() => void);

/**
 * Of the first connection in which this word is said, `lose` hands it on and loses the answer, and the connection with it;
 * `stall` hands nothing on from there; `stallAfter` hands it on, and of what is answered from there so many bytes and no
 * more; a function runs before it is handed on.
 */
export async function startRelay(to: number, word: string, way: Meddling): Promise<Relay> {
  const heard = new EventEmitter();
  const said = once(heard, 'word');
  const sockets: Socket[] = [];
  let wasSaid = false;
  const relay = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    sockets.push(client, upstream);
    let isHeld = false;
    /** The word may come in two pieces. */
    let before = Buffer.alloc(0);
    let left = Number.POSITIVE_INFINITY;
    const meddle = () => {
      wasSaid = true;
      isHeld = typeof way === 'string';
      if (typeof way === 'function') way();
      if (typeof way === 'object') left = way.stallAfter;
      else heard.emit('word');
    };
    for (const socket of [client, upstream]) {
      socket.on('error', () => {});
      socket.on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.on('data', (chunk) => {
      const heardNow = Buffer.concat([before, chunk]);
      before = heardNow.subarray(-word.length);
      if (!wasSaid && heardNow.includes(word)) meddle();
      if (!isHeld || way === 'lose') upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (isHeld) client.destroy();
      else client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left >= 0) return;
      upstream.pause();
      heard.emit('word');
    });
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return {
    port: (relay.address() as AddressInfo).port,
    said,
    close() {
      relay.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

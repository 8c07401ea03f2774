/** MongoDB's wire protocol, as far as a stand-in for a server needs it. */
import { BSON } from 'mongodb';

const OP_MSG = 2013;
/** Of the first greeting alone, and its answer. */
const OP_QUERY = 2004;
const OP_REPLY = 1;
const HEAD_BYTES = 16;

export interface FakeCommand {
  readonly name: string;
  readonly db: string;
  readonly body: BSON.Document;
  /** Of a sequence of documents, as they came. */
  readonly documents: readonly Buffer[];
}

/** Cuts what a socket brings into messages. */
export function messageSplitter(): (chunk: Buffer) => Buffer[] {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wanted = HEAD_BYTES;
  return (chunk) => {
    held.push(chunk);
    heldBytes += chunk.byteLength;
    const messages: Buffer[] = [];
    while (heldBytes >= wanted) {
      const bytes = Buffer.concat(held);
      held = [bytes];
      wanted = Math.max(HEAD_BYTES, bytes.readInt32LE(0));
      if (heldBytes < wanted) break;
      messages.push(bytes.subarray(0, wanted));
      held = [bytes.subarray(wanted)];
      heldBytes -= wanted;
      wanted = HEAD_BYTES;
    }
    return messages;
  };
}

export const isGreeting = (message: Buffer): boolean => message.readInt32LE(12) === OP_QUERY;

export function greetingReply(message: Buffer, hello: object): Buffer {
  const reply = BSON.serialize(hello);
  const head = Buffer.alloc(HEAD_BYTES + 20);
  head.writeInt32LE(head.byteLength + reply.byteLength, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(OP_REPLY, 12);
  head.writeInt32LE(1, HEAD_BYTES + 16);
  return Buffer.concat([head, reply]);
}

export function commandReply(message: Buffer, reply: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES + 5);
  head.writeInt32LE(head.byteLength + reply.byteLength, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, reply]);
}

/** What a client calls itself when it greets; null: this is no greeting, or it does not say. */
export function clientNameOf(message: Buffer): string | null {
  const body = isGreeting(message) ? readQuery(message) : readCommand(message).body;
  return body.client?.application?.name ?? null;
}

/** Behind flags come the name of a collection, and how much is wanted of it. */
function readQuery(message: Buffer): BSON.Document {
  return BSON.deserialize(message.subarray(message.indexOf(0, HEAD_BYTES + 4) + 9));
}

/** The value of `_id`, which is the first element; as it stands, or so much of it. */
export function idBytes(document: Uint8Array, length?: number): Buffer {
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  const from = bytes.indexOf(0, 5) + 1;
  return bytes.subarray(from, length === undefined ? -1 : from + length);
}

export function readCommand(message: Buffer): FakeCommand {
  if (message.readInt32LE(12) !== OP_MSG) throw new Error(`operation ${message.readInt32LE(12)}`);
  let body: BSON.Document = {};
  const documents: Buffer[] = [];
  for (let at = HEAD_BYTES + 4; at < message.byteLength; ) {
    const kind = message[at] as number;
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    at += 1 + size;
    if (kind === 0) body = BSON.deserialize(section, { promoteValues: true });
    else {
      for (let inner = section.indexOf(0, 4) + 1; inner < section.byteLength; ) {
        const length = section.readInt32LE(inner);
        documents.push(Buffer.from(section.subarray(inner, inner + length)));
        inner += length;
      }
    }
  }
  const [name = ''] = Object.keys(body);
  return { name, db: String(body.$db), body, documents };
}

/** With the documents as they are. */
export function cursorReply(
  ns: string,
  field: 'firstBatch' | 'nextBatch',
  documents: readonly Uint8Array[],
  { id, moment }: { readonly id: number; readonly moment: BSON.Timestamp | null } = { id: 0, moment: null },
): Uint8Array {
  const items = documents.map((bytes, index) => Buffer.concat([Buffer.from(`\x03${index}\0`), bytes]));
  const list = wrap(Buffer.concat(items));
  const rest = BSON.serialize({ id: BSON.Long.fromNumber(id), ns, ...(moment ? { atClusterTime: moment } : {}) });
  const cursor = wrap(Buffer.concat([Buffer.from(`\x04${field}\0`), list, rest.subarray(4, -1)]));
  return wrap(Buffer.concat([Buffer.from('\x03cursor\0'), cursor, BSON.serialize({ ok: 1 }).subarray(4, -1)]));
}

function wrap(elements: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32LE(elements.byteLength + 5, 0);
  return Buffer.concat([size, elements, Buffer.alloc(1)]);
}

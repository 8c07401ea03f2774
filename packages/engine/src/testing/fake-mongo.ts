/**
 * For the tests: a server of documents that are bytes, speaking MongoDB's wire protocol, and going wrong when asked.
 * It stands for what no test machine has: replica sets, time series, views, and types that other stand-ins refuse.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { BSON, MongoClient, type MongoClientOptions } from 'mongodb';
import {
  clientNameOf,
  commandReply,
  cursorReply,
  type FakeCommand,
  greetingReply,
  idBytes,
  isGreeting,
  messageSplitter,
  readCommand,
} from './mongo-wire.ts';

export interface FakeCollection {
  readonly type?: 'collection' | 'view' | 'timeseries';
  readonly options?: object;
  readonly documents?: readonly Uint8Array[];
  readonly indexes?: readonly object[];
  readonly uuid?: string;
}

export interface FakeSetup {
  readonly version?: string;
  readonly isReplicaSet?: boolean;
  /** By `db.collection`. */
  readonly collections?: Readonly<Record<string, FakeCollection>>;
  /** Documents of an answer. */
  readonly batchSize?: number;
  /** Asked before a command is obeyed: what to answer instead, `cut` the connection, or null. */
  readonly onCommand?: (command: FakeCommand) => object | 'cut' | null | Promise<object | 'cut' | null>;
}

interface Stored {
  type: string;
  options: object;
  uuid: string;
  documents: Buffer[];
  indexes: object[];
}

const ID_INDEX = { v: 2, key: { _id: 1 }, name: '_id_' };

/** An answer of the server with an error. */
export const failure = (code: number, errmsg: string, codeName = 'Failed') => ({ ok: 0, code, codeName, errmsg });

export class FakeMongo {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #setup: FakeSetup;
  readonly #stored = new Map<string, Stored>();
  readonly #cursors = new Map<number, { ns: string; rest: Buffer[] }>();
  /** All but those of the driver's own housekeeping. */
  readonly commands: FakeCommand[] = [];
  /** What clients have called themselves, the last one last. */
  readonly clientNames: string[] = [];
  readonly #clients: MongoClient[] = [];

  private constructor(setup: FakeSetup) {
    this.#setup = setup;
    for (const [ns, collection] of Object.entries(setup.collections ?? {})) this.#store(ns, collection);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(setup: FakeSetup = {}): Promise<FakeMongo> {
    const fake = new FakeMongo(setup);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get address(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
  }

  /** A connected client; closed by `stop`. */
  async connect(options: MongoClientOptions = {}): Promise<MongoClient> {
    const all = { serverApi: '1', directConnection: true, retryReads: false, ...options } as const;
    const client = new MongoClient(`mongodb://${this.address}/`, all);
    this.#clients.push(client);
    return await client.connect();
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) await client.close();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** As they lie. */
  documents(ns: string): readonly Buffer[] {
    return this.#stored.get(ns)?.documents ?? [];
  }

  /** Collections that are there, with their databases. */
  get namespaces(): string[] {
    return [...this.#stored.keys()].sort();
  }

  /** Done by somebody else. */
  add(ns: string, collection: FakeCollection): void {
    this.#store(ns, collection);
  }

  remove(ns: string): void {
    this.#stored.delete(ns);
  }

  names(name: string): string[] {
    return this.commands.filter((command) => command.name === name).map(({ db, body }) => `${db}.${body[name]}`);
  }

  of(name: string): FakeCommand[] {
    return this.commands.filter((command) => command.name === name);
  }

  #store(ns: string, { type = 'collection', options = {}, uuid, documents = [], indexes }: FakeCollection): void {
    this.#stored.set(ns, {
      type,
      options,
      uuid: uuid ?? '0123456789abcdef0123456789abcdef',
      documents: documents.map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
      indexes: [...(indexes ?? [ID_INDEX])],
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const split = messageSplitter();
    let turn = Promise.resolve();
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      for (const message of split(chunk)) turn = turn.then(() => this.#answer(socket, message));
    });
  }

  async #answer(socket: Socket, message: Buffer): Promise<void> {
    const clientName = clientNameOf(message);
    if (clientName !== null) this.clientNames.push(clientName);
    if (isGreeting(message)) {
      socket.write(greetingReply(message, this.#hello()));
      return;
    }
    const command = readCommand(message);
    const isHousekeeping = ['hello', 'ping', 'endSessions'].includes(command.name);
    if (!isHousekeeping) this.commands.push(command);
    const instead = await this.#setup.onCommand?.(command);
    if (instead === 'cut') {
      socket.destroy();
      return;
    }
    const reply = instead ? BSON.serialize(instead) : this.#obey(command);
    if (!socket.destroyed) socket.write(commandReply(message, reply));
  }

  #obey(command: FakeCommand): Uint8Array {
    const { name, db, body, documents } = command;
    const ns = `${db}.${body[name]}`;
    switch (name) {
      case 'hello':
        return BSON.serialize(this.#hello());
      case 'buildInfo':
        return BSON.serialize(buildInfo(this.#setup.version ?? '7.0.20'));
      case 'listCollections':
        return cursorReply(`${db}.$cmd.listCollections`, 'firstBatch', this.#list(db));
      case 'listIndexes': {
        const stored = this.#stored.get(ns);
        if (!stored) return BSON.serialize(failure(26, 'ns does not exist', 'NamespaceNotFound'));
        return cursorReply(
          ns,
          'firstBatch',
          stored.indexes.map((index) => BSON.serialize(index)),
        );
      }
      case 'find':
        return this.#find(ns, body);
      case 'getMore':
        return this.#more(Number(body.getMore));
      case 'insert':
        if (!this.#stored.has(ns)) this.#store(ns, {});
        this.#stored.get(ns)?.documents.push(...documents);
        return BSON.serialize({ ok: 1, n: documents.length });
      case 'create': {
        const { create: _, $db: __, lsid: ___, apiVersion: ____, ...options } = body;
        this.#store(ns, { options, ...(options.viewOn ? { type: 'view' as const } : {}) });
        if (options.timeseries) this.#store(`${db}.system.buckets.${body.create}`, {});
        return BSON.serialize({ ok: 1 });
      }
      case 'drop':
        this.#stored.delete(ns);
        return BSON.serialize({ ok: 1 });
      default:
        return this.#move(command);
    }
  }

  #move({ name, db, body }: FakeCommand): Uint8Array {
    const ns = `${db}.${body[name]}`;
    switch (name) {
      case 'createIndexes':
        this.#stored.get(ns)?.indexes.push(...body.indexes);
        return BSON.serialize({ ok: 1 });
      case 'renameCollection':
        return BSON.serialize(this.#rename(String(body.renameCollection), String(body.to)));
      case 'update':
        return BSON.serialize(this.#update(ns, body.updates));
      case 'aggregate': {
        // Of the counting of documents.
        const n = this.documents(ns).length;
        return cursorReply(ns, 'firstBatch', n === 0 ? [] : [BSON.serialize({ _id: 1, n })]);
      }
      case 'validate':
        return BSON.serialize({ ok: 1, valid: true, errors: [] });
      case 'dropDatabase':
        for (const stored of [...this.#stored.keys()]) if (stored.startsWith(`${db}.`)) this.#stored.delete(stored);
        return BSON.serialize({ ok: 1 });
      default:
        return BSON.serialize({ ok: 1 });
    }
  }

  #rename(from: string, to: string): object {
    const found = this.#stored.get(from);
    if (!found) return failure(26, 'source does not exist', 'NamespaceNotFound');
    if (found.type !== 'collection') return failure(20, 'it cannot be renamed', 'IllegalOperation');
    if (this.#stored.has(to)) return failure(48, 'target exists', 'NamespaceExists');
    this.#stored.delete(from);
    this.#stored.set(to, found);
    return { ok: 1 };
  }

  /** Sets fields of the one document there is, or makes it. */
  #update(ns: string, updates: readonly BSON.Document[]): object {
    if (!this.#stored.has(ns)) this.#store(ns, {});
    const stored = this.#stored.get(ns) as Stored;
    for (const { q, u } of updates) {
      const old = stored.documents[0] ? BSON.deserialize(stored.documents[0]) : q;
      stored.documents = [Buffer.from(BSON.serialize({ ...old, ...u.$set }))];
    }
    return { ok: 1, n: updates.length };
  }

  #hello(): object {
    const { address } = this;
    const set = { setName: 'rs', hosts: [address], me: address, primary: address, secondary: false };
    return {
      ...(this.#setup.isReplicaSet ? set : {}),
      ...{
        isWritablePrimary: true,
        maxWireVersion: this.#setup.version?.startsWith('8.3.') ? 29 : 21,
        minWireVersion: 0,
        readOnly: false,
        ok: 1,
      },
      ...{ maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 },
      ...{ logicalSessionTimeoutMinutes: 30, connectionId: 1, helloOk: true },
    };
  }

  #list(db: string): Uint8Array[] {
    return [...this.#stored].flatMap(([ns, { type, options, uuid }]) => {
      if (!ns.startsWith(`${db}.`)) return [];
      const name = ns.slice(db.length + 1);
      const info = {
        readOnly: type === 'view',
        ...(type === 'view' ? {} : { uuid: BSON.UUID.createFromHexString(uuid) }),
      };
      return [BSON.serialize({ name, type, options, info, ...(type === 'view' ? {} : { idIndex: ID_INDEX }) })];
    });
  }

  #find(ns: string, body: BSON.Document): Uint8Array {
    let documents = [...this.documents(ns)];
    if (body.min) {
      const wanted = idBytes(BSON.serialize({ _id: body.min._id }));
      const at = documents.findIndex((bytes) => Buffer.compare(idBytes(bytes, wanted.byteLength), wanted) >= 0);
      documents = at < 0 ? [] : documents.slice(at);
    }
    const id = this.#cursors.size + 1;
    const batch = documents.splice(0, this.#setup.batchSize ?? 101);
    this.#cursors.set(id, { ns, rest: documents });
    const moment = body.readConcern?.level === 'snapshot' ? new BSON.Timestamp({ t: 100, i: 1 }) : null;
    return cursorReply(ns, 'firstBatch', batch, { id: documents.length > 0 ? id : 0, moment });
  }

  #more(id: number): Uint8Array {
    const cursor = this.#cursors.get(id);
    if (!cursor) return BSON.serialize(failure(43, 'cursor not found', 'CursorNotFound'));
    const batch = cursor.rest.splice(0, this.#setup.batchSize ?? 101);
    return cursorReply(cursor.ns, 'nextBatch', batch, { id: cursor.rest.length > 0 ? id : 0, moment: null });
  }
}

function buildInfo(version: string): object {
  const versionArray = [...version.split('.').map((part) => Number.parseInt(part, 10)), 0];
  return { ok: 1, version, versionArray };
}

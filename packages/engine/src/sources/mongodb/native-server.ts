/** What of a server the native path must know. */
import { AppError } from '@backupx/contracts/errors';
import { type MongoClient, MongoError, MongoNetworkError } from 'mongodb';

/** Snapshot reads outside transactions came with version 5.0. */
const SNAPSHOT_WIRE_VERSION = 13;
/** Per major version, the patch from which on a server can be told to keep empty timestamps; from 8 on all can. */
const EMPTY_TIMESTAMPS_SINCE: Readonly<Record<number, number>> = { 5: 29, 6: 17, 7: 13 };

export interface NativeServer {
  readonly version: string;
  /** `host:port`, of the first one. */
  readonly address: string;
  /** All reads can be of one moment. */
  readonly hasSnapshots: boolean;
  /** Can be told not to put the present time where a document has an empty timestamp. */
  readonly keepsEmptyTimestamps: boolean;
  /** Time series are collections of their own, without a second one for their buckets; from 8.3 on. */
  readonly hasPlainSeries: boolean;
}

/** Asks the server. Throws errors of the driver. */
export async function readServer(client: MongoClient, signal: AbortSignal): Promise<NativeServer> {
  const admin = client.db('admin');
  const hello = await admin.command({ hello: 1 }, { signal });
  const { version } = await admin.command({ buildInfo: 1 }, { signal });
  const [major = 0, minor = 0, patch = 0] = String(version).split('.').map(Number.parseFloat);
  const isReplicated = hello.setName !== undefined || hello.msg === 'isdbgrid';
  const since = minor === 0 ? EMPTY_TIMESTAMPS_SINCE[major] : undefined;
  const { hosts } = client.options;
  return {
    version: String(version),
    address: String(hosts[0] ?? 'the server'),
    hasSnapshots: isReplicated && Number(hello.maxWireVersion) >= SNAPSHOT_WIRE_VERSION,
    keepsEmptyTimestamps: major >= 8 || (since !== undefined && patch >= since),
    hasPlainSeries: major > 8 || (major === 8 && minor >= 3),
  };
}

/** A connection that ends while the driver writes gives errors that do not look like its own. */
export function driverErrorOf(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof MongoError || error instanceof AppError) return error;
  const isOfSocket = 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code);
  return isOfSocket ? new MongoNetworkError(`${error.code}: ${error.message}`, { cause: error }) : error;
}

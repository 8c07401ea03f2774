/** The S3 client of one storage: loaded and opened at the first call, with a time limit on everything it does. */
import type * as Sdk from '@aws-sdk/client-s3';

/** What a connection needs to know; the driver's config in short. */
export interface S3Settings {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly prefix?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly forcePathStyle: boolean;
  readonly caCertificate?: string;
  readonly insecureTls?: boolean;
}

/** The loaded SDK and a client. */
export interface S3Client {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.S3Client;
}

const CONNECT_LIMIT_MS = 10_000;
/** A connection on which nothing moves for this long is given up. */
const IDLE_LIMIT_MS = 60_000;
const MAX_SOCKETS = 32;
const SDK_ATTEMPTS = 3;

/** Opens on demand, is shared by all calls, opens again after `close`. */
export class S3Connection {
  readonly #settings: S3Settings;
  #opening: Promise<S3Client> | null = null;

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  open(): Promise<S3Client> {
    this.#opening ??= openClient(this.#settings).catch((error) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    const opened = await opening?.catch(() => null);
    opened?.client.destroy();
  }
}

/** The SDK takes a noticeable time to load; a process that never talks to S3 never pays for it. */
async function openClient(settings: S3Settings): Promise<S3Client> {
  const [sdk, { NodeHttpHandler }, { nodeHttp, nodeHttps }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@smithy/node-http-handler'),
    import('../../ports/node-http.ts'),
  ]);
  const agentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new sdk.S3Client({
    endpoint: settings.endpoint,
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    credentials: {
      accessKeyId: settings.accessKeyId,
      secretAccessKey: settings.secretAccessKey,
      sessionToken: settings.sessionToken || undefined,
    },
    maxAttempts: SDK_ATTEMPTS,
    // Checksum trailers are unknown to older servers; SHA-256 of the artifact is checked above the storage anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_LIMIT_MS,
      socketTimeout: IDLE_LIMIT_MS,
      httpAgent: new nodeHttp.Agent(agentOptions),
      httpsAgent: new nodeHttps.Agent({
        ...agentOptions,
        ca: settings.caCertificate || undefined,
        rejectUnauthorized: !settings.insecureTls,
      }),
    }),
  });
  return { sdk, client };
}

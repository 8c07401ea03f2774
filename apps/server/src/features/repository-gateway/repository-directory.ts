/**
 * What the gateway asks of the rest of the server: who may reach which repository, and whom to tell what came in.
 * Told in plain data, so that the gateway needs no tables and whoever implements it needs nothing of the gateway.
 */

/** The five kinds of files of a repository, besides its config. */
export type FileType = 'data' | 'keys' | 'locks' | 'snapshots' | 'index';

/** What a client presented; never a session, cookie or API key of the console. */
export interface GatewayCredentials {
  /** User name of HTTP basic authentication (name of the repository or of the node); null: a node token in a header. */
  readonly username: string | null;
  readonly token: string;
}

/** A repository as the gateway serves it. Holds secrets: never logged. */
export interface GatewayRepository {
  /** Id in the master. */
  readonly id: number;
  /** Settings of the storage, opened. */
  readonly target: { readonly type: string; readonly config: Record<string, unknown> };
  /** Folder inside the storage, without slash at either end; `''`: its root. */
  readonly prefix: string;
  /** True: nothing but locks may be deleted. */
  readonly isAppendOnly: boolean;
  /** Bytes it may hold; 0: no limit. */
  readonly quotaBytes: number;
  /** Bytes it holds as far as is known. May lag behind: the gateway adds what it has stored since this number changed. */
  readonly usedBytes: number;
}

/**
 * Answer to "may these credentials reach this repository?".
 * `unknown`: nobody has these credentials. `foreign`: a known caller, but not of this repository; the same whether the
 * repository exists or not, so that nobody learns what else there is.
 */
export type GatewayAccess =
  | {
      readonly kind: 'granted';
      readonly repository: GatewayRepository /** Name for the audit trail. */;
      readonly caller: string;
    }
  | { readonly kind: 'foreign'; readonly caller: string }
  | { readonly kind: 'unknown' };

export interface RepositoryDirectory {
  /**
   * `repository` is the text in the address, decoded: the id in decimal, or the name. Called for every request, so it
   * should answer from memory or with one cheap query. Unknown, disabled and unreachable repositories are `foreign`.
   */
  find(repository: string, credentials: GatewayCredentials): Promise<GatewayAccess>;
}

/** A file that has arrived and is durable. The time of arrival is now. */
export interface StoredFile {
  readonly repositoryId: number;
  readonly type: FileType | 'config';
  /** SHA-256 of its bytes in hex; `config` for the config. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Who sent it, as in `GatewayAccess.caller`. */
  readonly caller: string;
}
